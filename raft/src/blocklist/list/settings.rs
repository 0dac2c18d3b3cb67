//! What an admin decides, and the checks of an add that follow from it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::List;
use super::apply::{Applying, check_admin};
use crate::blocklist::account::Role;
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, NODE_ADDRESSES_MAX, Outcome, Refusal};
use crate::blocklist::guard;
use crate::blocklist::kind::Kind;
use crate::blocklist::network::Network;
use crate::blocklist::observable::Observable;
use crate::blocklist::record::RecordKey;
use crate::blocklist::settings::{ClusterSettings, REPLACE_DEAD_AFTER_SECONDS_MIN};
use crate::blocklist::timestamp::Timestamp;

impl Applying<'_> {
    pub(super) fn put_settings(
        &mut self,
        actor: &Actor,
        settings: &ClusterSettings,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, "decide for the cluster")?;
        if settings.widest_v4.max(settings.sensor_widest_v4) > 32
            || settings.widest_v6.max(settings.sensor_widest_v6) > 128
        {
            return Err(Refusal::Guarded("a prefix is longer than an address".to_owned()));
        }
        if settings.replace_dead_after_seconds.is_some_and(|after| after < REPLACE_DEAD_AFTER_SECONDS_MIN) {
            return Err(Refusal::Guarded(format!(
                "replace_dead_after_seconds is at least {REPLACE_DEAD_AFTER_SECONDS_MIN}: an election must not \
                 look like a death"
            )));
        }
        if *self.list.settings == *settings {
            return Ok(Outcome::Done);
        }
        let changes = changes(&self.list.settings, settings);
        self.list.settings = Arc::new(settings.clone());
        self.note_name(actor, Action::SettingsChanged, "settings", &changes);
        self.touch(RecordKey::Settings);
        self.touch_holes(Kind::Ip);
        Ok(Outcome::Done)
    }

    pub(super) fn put_node_addresses(
        &mut self,
        actor: &Actor,
        node: u64,
        addresses: &BTreeSet<IpAddr>,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, "say where the nodes are")?;
        let canonical = addresses.iter().map(IpAddr::to_canonical).take(NODE_ADDRESSES_MAX);
        let canonical: BTreeSet<IpAddr> = canonical.collect();
        if self.list.node_addresses.get(&node).unwrap_or(&BTreeSet::new()) == &canonical {
            return Ok(Outcome::Done);
        }
        self.list.put_node_addresses(node, canonical);
        self.touch(RecordKey::NodeAddresses(node));
        self.touch_holes(Kind::Ip);
        Ok(Outcome::Done)
    }

    /// Whether this actor may list this observable, or count one more sighting of it.
    pub(super) fn check(&mut self, actor: &Actor, value: &Observable) -> Result<(), Refusal> {
        if let Observable::Ip(network) = value {
            let objection = guard::objection(*network, actor.role, &self.list.settings)
                .or_else(|| self.list.own_node(*network));
            if let Some(objection) = objection {
                return Err(Refusal::Guarded(format!("address `{value}` {objection}")));
            }
        }
        self.check_allowed(value)
    }

    /// Whether there is room for one more entry of this actor. Counts it.
    pub(super) fn check_room(&mut self, time: Timestamp, actor: &Actor) -> Result<(), Refusal> {
        self.check_quota(actor)?;
        self.count_change(time, actor)
    }

    fn check_quota(&self, actor: &Actor) -> Result<(), Refusal> {
        let Some(most) = self.list.settings.sensor_entries_max else { return Ok(()) };
        if actor.role == Role::Sensor && self.list.count_by_account(&actor.account) >= most {
            let account = &actor.account;
            return Err(Refusal::Conflict(format!("`{account}` has the most entries it may have, {most}")));
        }
        Ok(())
    }
}

impl List {
    /// Why a network would cut off a node of the cluster, if it would.
    fn own_node(&self, network: Network) -> Option<String> {
        let holds = |addresses: &BTreeSet<IpAddr>| match network.is_host() {
            true => addresses.contains(&network.net().addr()),
            false => addresses.iter().any(|address| network.net().contains(address)),
        };
        let own = self.node_addresses.iter().find(|(_, addresses)| holds(addresses));
        own.map(|(node, _)| format!("is never listed: node {node} of this cluster is reached there"))
    }
}

/// What is other in the new settings, as `name=value`.
fn changes(old: &ClusterSettings, new: &ClusterSettings) -> String {
    let show = |settings: &ClusterSettings| {
        let ClusterSettings {
            allow_private,
            widest_v4,
            widest_v6,
            sensor_widest_v4,
            sensor_widest_v6,
            default_ttl,
            sensor_entries_max,
            growth_brake,
            replace_dead_after_seconds,
        } = settings;
        let never = || "none".to_owned();
        [
            ("allow_private", allow_private.to_string()),
            ("widest_v4", widest_v4.to_string()),
            ("widest_v6", widest_v6.to_string()),
            ("sensor_widest_v4", sensor_widest_v4.to_string()),
            ("sensor_widest_v6", sensor_widest_v6.to_string()),
            (
                "default_ttl",
                default_ttl.iter().map(|(kind, ttl)| format!("{kind}:{ttl}")).collect::<Vec<_>>().join(" "),
            ),
            ("sensor_entries_max", sensor_entries_max.map_or_else(never, |most| most.to_string())),
            (
                "growth_brake",
                growth_brake.map_or_else(never, |brake| {
                    format!("{}% in {} s", brake.share_percent, brake.window_seconds)
                }),
            ),
            (
                "replace_dead_after_seconds",
                replace_dead_after_seconds.map_or_else(never, |after| after.to_string()),
            ),
        ]
    };
    let differing = show(old).into_iter().zip(show(new)).filter(|(old, new)| old != new);
    differing.map(|(_, (name, value))| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}
