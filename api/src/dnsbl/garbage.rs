//! Bytes from anywhere: no panic, an answer only to what is a question, and none that is larger than allowed.

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;

use super::answer::{self, Received, respond};
use super::samples::{picture, zone};
use crate::list::samples::NOW;

/// The bytes that would go out.
fn answered(bytes: &[u8]) -> Option<Vec<u8>> {
    let (response, bytes_max) = match answer::read(bytes) {
        Received::Query(query) => {
            (respond(&zone(), Some(&picture()), &query, NOW), answer::datagram_max(&query))
        }
        Received::Broken(response) => (response, answer::DATAGRAM_MIN),
        Received::Nothing => return None,
    };
    let bytes = answer::write(&response, bytes_max).expect("an answer can be written");
    assert!(bytes.len() <= bytes_max, "{} bytes", bytes.len());
    Some(bytes)
}

fn sound(name: &[u8]) -> Vec<u8> {
    let labels: Vec<&[u8]> = name.chunks(7).chain([&b"bl"[..], b"example", b"org"]).collect();
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_labels(labels).unwrap(), RecordType::TXT));
    query.to_vec().unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_answered_as_a_question_or_not_at_all(bytes in vec(any::<u8>(), 0..600)) {
        match answered(&bytes) {
            None => prop_assert!(bytes.len() < 12 || bytes[2] & 0x80 != 0),
            Some(answer) => {
                prop_assert_eq!(&answer[..2], &bytes[..2], "the same id");
                prop_assert!(answer[2] & 0x80 != 0, "it is an answer");
            }
        }
    }

    #[test]
    fn a_damaged_question_is_answered_or_called_malformed(
        name in vec(any::<u8>(), 0..60),
        places in vec((any::<Index>(), any::<u8>()), 0..5),
        length in any::<Index>(),
    ) {
        let mut bytes = sound(&name);
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(length.index(bytes.len() + 1));
        if let Some(answer) = answered(&bytes) {
            prop_assert_eq!(&answer[..2], &bytes[..2]);
        }
    }

    #[test]
    fn any_labels_under_the_zone_get_an_answer(name in vec(any::<u8>(), 0..120)) {
        let bytes = answered(&sound(&name)).expect("a question");
        let answer = Message::from_vec(&bytes).unwrap();
        prop_assert_eq!(answer.metadata.message_type, MessageType::Response);
        let code = answer.metadata.response_code;
        prop_assert!(matches!(code, ResponseCode::NoError | ResponseCode::NXDomain), "{:?}", code);
    }
}
