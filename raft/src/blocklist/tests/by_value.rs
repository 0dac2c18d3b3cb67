//! The map in two parts is one map.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use crate::blocklist::list::ByValue;
use crate::blocklist::{Kind, Observable};

fn observable() -> impl Strategy<Value = Observable> {
    let ips =
        ["0.0.0.0", "0.0.0.1", "9.9.9.9", "9.9.9.10", "200.1.2.3", "255.255.255.255", "::1", "2001:db8::1"];
    let nets = ["0.0.0.0/1", "9.9.9.0/24", "9.9.9.8/31", "255.0.0.0/8", "2001:db8::/32", "::/1"];
    let ips = ips.into_iter().chain(nets).map(|text| Observable::parse(Kind::Ip, text).unwrap());
    let texts = ["a", "b"].map(|text| [Observable::Domain(text.into()), Observable::Url(text.into())]);
    prop::sample::select(ips.chain(texts.into_iter().flatten()).collect::<Vec<_>>())
}

fn bounds() -> impl Strategy<Value = Bound<Observable>> {
    prop_oneof![
        Just(Bound::Unbounded),
        observable().prop_map(Bound::Included),
        observable().prop_map(Bound::Excluded)
    ]
}

proptest! {
    /// It is the map of all observables, whatever lies where.
    #[test]
    fn it_is_one_map(
        steps in prop::collection::vec((observable(), prop::option::weighted(0.7, any::<u8>())), 0..40),
        from in bounds(),
        to in bounds(),
    ) {
        let (mut map, mut model) = (ByValue::default(), BTreeMap::new());
        for (value, known) in steps {
            match known {
                Some(known) => prop_assert_eq!(map.insert(value.clone(), known), model.insert(value.clone(), known)),
                None => prop_assert_eq!(map.remove(&value), model.remove(&value)),
            }
            prop_assert_eq!(map.get(&value), model.get(&value));
            prop_assert_eq!(map.get_mut(&value), model.get_mut(&value));
        }
        prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
        let all: Vec<_> = map.iter().map(|(value, known)| (value.into_owned(), *known)).collect();
        prop_assert_eq!(&all, &model.clone().into_iter().collect::<Vec<_>>());
        let is_within = |value: &Observable| {
            let begun = match &from {
                Bound::Unbounded => true,
                Bound::Included(from) => value >= from,
                Bound::Excluded(from) => value > from,
            };
            begun && match &to {
                Bound::Unbounded => true,
                Bound::Included(to) => value <= to,
                Bound::Excluded(to) => value < to,
            }
        };
        let within: Vec<_> = all.into_iter().filter(|(value, _)| is_within(value)).collect();
        let range = map.range(from.clone(), to.clone());
        prop_assert_eq!(range.map(|(value, known)| (value.into_owned(), *known)).collect::<Vec<_>>(), within);
    }
}
