//! What can be asked of the list, and what came of it. Everything here is stored in the log: enums grow at
//! their end, nothing is skipped, flattened or untagged.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{Role, Token};
use super::allow::NewAllow;
use super::answers::Once;
use super::feed::Profile;
use super::import::ImportRun;
use super::observable::Observable;
use super::settings::ClusterSettings;
use super::text::shared;
use super::timestamp::Timestamp;

/// The version of the commands that this program knows. An operation that is added belongs to the next one, and
/// `Operation::version` says so; the cluster takes it once every member knows it. Version 3 has none of its own: its nodes
/// tell each other more (`concluding`).
pub const VERSION: u32 = 3;

/// The most reports or observables one command carries; a longer bulk request is several commands.
pub const REPORTS_MAX: usize = 1024;
/// The longest comment kept, in bytes; longer ones are cut at a character boundary by `apply`.
pub const COMMENT_BYTES_MAX: usize = 1024;

/// The longest name of a source kept, in bytes; cut like a comment.
pub const SOURCE_BYTES_MAX: usize = 256;
/// The most tags of an entry; further ones are not kept.
pub const TAGS_MAX: usize = 32;
/// The longest tag kept, in bytes; cut like a comment.
pub const TAG_BYTES_MAX: usize = 64;

/// The most entries that one `Expire` or `Undo` touches, which bounds the change set.
pub const EXPIRED_MAX: usize = 128;
/// The most entries that one `Undo` looks at, which bounds its time.
pub const UNDO_SCAN_MAX: usize = 65_536;
/// The most addresses of one node that are kept from the list.
pub const NODE_ADDRESSES_MAX: usize = 32;

/// One request of one caller: applied whole, in order, exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// When the node that took the request stamped it.
    pub time: Timestamp,
    /// Who asks.
    pub actor: Actor,
    /// What for.
    pub operation: Operation,
    /// The client's name for its request, under which it counts once; none counts every time.
    pub once: Option<Once>,
}

/// Who asks for a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The account; empty for the cluster itself and for the registration token.
    #[serde(deserialize_with = "shared")]
    pub account: Arc<str>,
    /// Its role when the request was taken.
    pub role: Role,
    /// The address the request came from; empty when there is none.
    #[serde(deserialize_with = "shared")]
    pub address: Arc<str>,
}

/// The things a command can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Lists observables, or counts sightings of those listed. One outcome line a report.
    Add(Vec<Report>),
    /// Removes entries (analyst and admin), or withdraws the account's own reports (sensor).
    Delete(Vec<Observable>),
    /// Makes an account; refused when the name is taken.
    CreateAccount {
        /// The name.
        username: Arc<str>,
        /// argon2id in PHC string form.
        password_hash: Arc<str>,
        /// What it may do.
        role: Role,
    },
    /// Changes what is given; refused when the account is unknown or the last admin would lose the role.
    UpdateAccount {
        /// The name.
        username: Arc<str>,
        /// A new password.
        password_hash: Option<Arc<str>>,
        /// A new role.
        role: Option<Role>,
    },
    /// Deletes an account.
    DeleteAccount(Arc<str>),
    /// Adds an API token, or replaces the one of that name.
    PutToken {
        /// The account.
        username: Arc<str>,
        /// The token.
        token: Token,
    },
    /// Revokes an API token by name.
    DeleteToken {
        /// The account.
        username: Arc<str>,
        /// The token's name.
        name: Arc<str>,
    },
    /// The first command of a cluster: who it is.
    Found {
        /// The cluster's id.
        cluster_id: [u8; 16],
        /// What peers prove to each other.
        peer_secret: [u8; 32],
    },
    /// Gives out a node id that was never given before; the same join key gets the same id again.
    AllocateNode {
        /// Random, kept by the joining node until it is in.
        join_key: [u8; 16],
    },
    /// Decides for the whole cluster (admin).
    PutSettings(ClusterSettings),
    /// Says under which addresses a node of the cluster is reached; they are never listed. None forgets the node.
    PutNodeAddresses {
        /// The node.
        node: u64,
        /// Its addresses, at most `NODE_ADDRESSES_MAX`.
        addresses: BTreeSet<IpAddr>,
    },
    /// Drops the entries that are due at the command's time, at most `EXPIRED_MAX`. The leader proposes it.
    Expire,
    /// Counts sightings of observables that are listed; one outcome line a report.
    Sight(Vec<Report>),
    /// Corrects one entry (analyst and admin).
    Patch(Patch),
    /// Puts observables on the allow list, or changes their comments (analyst and admin). One line each.
    AllowAdd(Vec<NewAllow>),
    /// Takes observables off the allow list (analyst and admin). One line each.
    AllowDelete(Vec<Observable>),
    /// Lists observables like `Add`, and marks what is new with a label by which it can be undone.
    Import {
        /// The label.
        label: Arc<str>,
        /// As in `Add`.
        reports: Vec<Report>,
    },
    /// Takes back what somebody listed (admin), in steps.
    Undo(Undo),
    /// Lets commands of this version into the log; never lowered. The leader proposes it once every member knows
    /// them.
    RaiseVersion(u32),
    /// Makes a feed, or changes what it shows (admin).
    PutFeed {
        /// Its name.
        name: Arc<str>,
        /// What it shows.
        feed: Profile,
    },
    /// Deletes a feed (admin).
    DeleteFeed(Arc<str>),
    /// Lets a frozen feed show the list as it is (admin).
    PublishFeed(Arc<str>),
    /// Makes a hook, or changes it (admin).
    PutHook {
        /// Its name.
        name: Arc<str>,
        /// What of a body means what; at most `HOOK_BYTES_MAX`.
        mapping: Arc<str>,
    },
    /// Deletes a hook (admin).
    DeleteHook(Arc<str>),
    /// Makes an import, or changes it (admin).
    PutImport {
        /// Its name.
        name: Arc<str>,
        /// What is taken from where; at most `IMPORT_BYTES_MAX`.
        profile: Arc<str>,
    },
    /// Deletes an import (admin). What it has listed stays.
    DeleteImport(Arc<str>),
    /// Asks for a run of an import (admin).
    AskImport {
        /// Its name.
        name: Arc<str>,
        /// How many values may pass, whatever share of growth or shrinking is allowed.
        approved: Option<u64>,
    },
    /// Remembers how far a run has come. The leader proposes it.
    NoteImport(ImportRun),
    /// Lists observables like `Import`, but what the account reports already is no sighting: it only stays listed
    /// for longer. One outcome line a report.
    Claim {
        /// The label.
        label: Arc<str>,
        /// As in `Add`.
        reports: Vec<Report>,
    },
    /// Takes back the account's own reports, whatever its role. One outcome line an observable.
    Withdraw(Vec<Observable>),
}

/// One report: an add of one observable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was seen.
    pub value: Observable,
    /// Why it is bad.
    #[serde(deserialize_with = "shared")]
    pub comment: Arc<str>,
    /// Who saw it; when empty, the actor's address.
    #[serde(deserialize_with = "shared")]
    pub source: Arc<str>,
    /// Seconds until it leaves the list; `None` is the cluster's default, 0 and less is never.
    pub ttl: Option<i64>,
    /// Labels.
    pub tags: BTreeSet<Arc<str>>,
    /// When it was seen, if not at the command's time; a later moment counts as the command's time.
    pub seen: Option<Timestamp>,
}

/// What is to change in one entry; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The observable of the entry.
    pub value: Observable,
    /// A new comment.
    pub comment: Option<Arc<str>>,
    /// New tags, instead of those it has.
    pub tags: Option<BTreeSet<Arc<str>>>,
    /// When it leaves the list from now on; `Some(None)` is never.
    pub expires: Option<Option<Timestamp>>,
}

/// Takes back what was listed by one account, source or import since an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Whose reports.
    pub whose: Whose,
    /// Only what was listed after this index.
    pub since: u64,
    /// Where the step before stopped; `None` is from the start.
    pub after: Option<Observable>,
}

/// Who listed an entry. Stored: grows at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whose {
    /// An account.
    Account(Arc<str>),
    /// A source, whoever reported for it.
    Source(Arc<str>),
    /// The label of an import.
    Import(Arc<str>),
}

/// Commands of one outbox, in its order: the content of one Raft entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Whose outbox.
    pub origin: Origin,
    /// The sequence of the first command; the others follow without a gap. The first ever is 1.
    pub first_sequence: u64,
    /// The commands.
    pub commands: Vec<Command>,
}

/// One outbox of one node. A node that starts with an empty outbox takes the next incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The node.
    pub node: u64,
    /// Which outbox of it.
    pub incarnation: u64,
}

/// What came of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of `Add`, `Sight`, `Delete`, `AllowAdd` and `AllowDelete`: a line an observable, in order; so of `Claim` and `Withdraw`.
    Lines(Vec<Line>),
    /// Done; of every other command.
    Done,
    /// Not done, and why.
    Refused(Refusal),
    /// Of `AllocateNode`.
    Node(u64),
    /// Of `Expire`: how many entries left the list. `EXPIRED_MAX` of them means that more may be due.
    Expired(u64),
    /// Of `Undo`.
    Undone {
        /// What left the list.
        removed: Vec<Observable>,
        /// What others keep on the list.
        withdrawn: Vec<Observable>,
        /// Where the next step goes on; `None` when all is done.
        next: Option<Observable>,
    },
    /// Of a command that is to count once: what came of it when it was first sent.
    Repeated(Box<Outcome>),
}

/// What came of one observable of a command. Stored with kept answers: grows at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// Newly listed.
    Added,
    /// Listed already: a sighting.
    Sighted,
    /// Removed from the list.
    Deleted,
    /// One's own report is gone; others keep the entry.
    Withdrawn,
    /// Not done, and why.
    Refused(Refusal),
    /// Of `AllowAdd`: it was there already, and has its new comment now. Of `Claim`: it was reported already.
    Updated,
}

/// Why a command or a line of it was not done. `Display` is the sentence for the client. Stored with kept answers:
/// grows at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The observable or account is not there (404).
    #[error("{0}")]
    NotFound(String),
    /// It is there already, or the state forbids it (409).
    #[error("{0}")]
    Conflict(String),
    /// The actor has too little right (403).
    #[error("{0}")]
    Forbidden(String),
    /// The observable must never be listed (422).
    #[error("{0}")]
    Guarded(String),
    /// The key was used for another request (422).
    #[error("{0}")]
    KeyReused(String),
}

impl Command {
    /// A command that counts every time it is sent.
    pub fn new(time: Timestamp, actor: Actor, operation: Operation) -> Command {
        Command { time, actor, operation, once: None }
    }
}

impl Operation {
    /// The version of the commands that it belongs to: the cluster's must be as high before it may be proposed.
    /// The one place to name the version of a new operation.
    pub fn version(&self) -> u32 {
        match self {
            Operation::Add(_)
            | Operation::Delete(_)
            | Operation::CreateAccount { .. }
            | Operation::UpdateAccount { .. }
            | Operation::DeleteAccount(_)
            | Operation::PutToken { .. }
            | Operation::DeleteToken { .. }
            | Operation::Found { .. }
            | Operation::AllocateNode { .. }
            | Operation::PutSettings(_)
            | Operation::PutNodeAddresses { .. }
            | Operation::Expire
            | Operation::Sight(_)
            | Operation::Patch(_)
            | Operation::AllowAdd(_)
            | Operation::AllowDelete(_)
            | Operation::Import { .. }
            | Operation::Undo(_)
            | Operation::RaiseVersion(_)
            | Operation::PutFeed { .. }
            | Operation::DeleteFeed(_)
            | Operation::PublishFeed(_)
            | Operation::PutHook { .. }
            | Operation::DeleteHook(_) => 1,
            Operation::PutImport { .. }
            | Operation::DeleteImport(_)
            | Operation::AskImport { .. }
            | Operation::NoteImport(_)
            | Operation::Claim { .. }
            | Operation::Withdraw(_) => 2,
        }
    }

    /// How many keys it changes, about; at least one.
    pub fn weight(&self) -> usize {
        match self {
            Operation::Add(reports)
            | Operation::Sight(reports)
            | Operation::Import { reports, .. }
            | Operation::Claim { reports, .. } => reports.len().max(1),
            Operation::AllowAdd(allows) => allows.len().max(1),
            // A removal leaves a tombstone behind.
            Operation::Delete(values) | Operation::Withdraw(values) => 2 * values.len().max(1),
            Operation::AllowDelete(values) => values.len().max(1),
            _ => 1,
        }
    }
}
