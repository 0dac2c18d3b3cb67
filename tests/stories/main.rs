//! Stories on real processes. Each is a test of its own, on its own ports and in its own directory.

#![expect(clippy::unwrap_used, reason = "a story fails loudly, where it stands")]

mod abuse;
mod accounts;
mod allow;
mod auditing;
mod bulk;
mod caching;
mod churn;
mod clocks;
mod command_line;
mod crash_points;
mod crowds;
mod crowdsec;
mod disks;
mod errors;
mod faults;
mod feeds;
mod filters;
mod firewalls;
mod following;
mod formation;
mod formats;
mod freshness;
mod full_disk;
mod idempotency;
mod kills;
mod local_cluster;
mod members;
mod minority;
mod operations;
mod partition;
mod pending;
mod power;
mod protected;
mod public_dns;
mod replication;
mod roles;
mod rolling;
mod sightings;
mod spare;
mod strangers;
mod subtraction;
mod talk;
mod tokens;
mod upgrade;
