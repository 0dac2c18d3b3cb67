//! Who did what to what, when, from where, at which index: the same on every node, bounded.
//!
//! A deed is one action of one command. Sightings are no deeds: each entry counts them by source. Reports and
//! expiries are kept apart from decisions, so that a busy sensor does not push out what an admin did.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::observable::Observable;
use super::timestamp::Timestamp;

/// The most subjects of reports and expiries that are remembered; the oldest are forgotten first.
pub const AUDIT_REPORTS_MAX: usize = 131_072;
/// The most subjects of decisions that are remembered.
pub const AUDIT_DECISIONS_MAX: usize = 32_768;

/// One action of one command on one or many subjects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The time of the command.
    pub time: Timestamp,
    /// The account; empty for the cluster itself and for the registration token.
    pub account: Arc<str>,
    /// Where the request came from; empty when there is none.
    pub address: Arc<str>,
    /// What was done.
    pub action: Action,
    /// To what, in the order of the command.
    pub subjects: Vec<Subject>,
    /// What else is to be known: a role, the label of an import. Empty when there is nothing.
    pub detail: Arc<str>,
}

/// What was done. Stored: grows at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// An entry is new on the list.
    Listed,
    /// An entry was removed.
    Removed,
    /// An account took its reports back; others keep the entry.
    Withdrawn,
    /// An entry was due.
    Expired,
    /// An entry was corrected.
    Changed,
    /// What somebody had listed was taken back, and the entry with it.
    Undone,
    /// An observable is on the allow list.
    Allowed,
    /// The comment of an allow entry is another one.
    AllowChanged,
    /// An observable is off the allow list.
    Disallowed,
    /// An account is new.
    AccountCreated,
    /// An account has another password or role.
    AccountChanged,
    /// An account is gone.
    AccountDeleted,
    /// An account has a token.
    TokenMade,
    /// A token is revoked.
    TokenRevoked,
    /// The cluster has other settings.
    SettingsChanged,
    /// The cluster was founded.
    Founded,
    /// A node got its id.
    NodeAdmitted,
    /// A feed is new.
    FeedMade,
    /// A feed shows something else.
    FeedChanged,
    /// A feed is gone.
    FeedDeleted,
    /// A feed stopped at its last good content.
    FeedFrozen,
    /// A frozen feed goes on.
    FeedPublished,
    /// A hook is new, or another one.
    HookChanged,
    /// A hook is gone.
    HookDeleted,
    /// An import is new, or another one.
    ImportChanged,
    /// An import is gone.
    ImportDeleted,
    /// Somebody asked for a run of an import.
    ImportAsked,
    /// An import was run, and there is something to tell.
    ImportRan,
}

/// What something was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// An observable, on the list or on the allow list.
    Value(Observable),
    /// An account, a token of one (`account/token`), a node, or the cluster.
    Name(Arc<str>),
}

/// Which of the two memories a deed belongs to. Stored: grows at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// What sensors and the clock do all day.
    Reports,
    /// What somebody decided.
    Decisions,
}

impl Class {
    /// Both.
    pub const ALL: [Class; 2] = [Class::Reports, Class::Decisions];

    /// How many subjects are remembered.
    pub fn most(self) -> usize {
        match self {
            Class::Reports => AUDIT_REPORTS_MAX,
            Class::Decisions => AUDIT_DECISIONS_MAX,
        }
    }
}

impl Action {
    /// Every action, in stored order.
    pub const ALL: [Action; 28] = [
        Action::Listed,
        Action::Removed,
        Action::Withdrawn,
        Action::Expired,
        Action::Changed,
        Action::Undone,
        Action::Allowed,
        Action::AllowChanged,
        Action::Disallowed,
        Action::AccountCreated,
        Action::AccountChanged,
        Action::AccountDeleted,
        Action::TokenMade,
        Action::TokenRevoked,
        Action::SettingsChanged,
        Action::Founded,
        Action::NodeAdmitted,
        Action::FeedMade,
        Action::FeedChanged,
        Action::FeedDeleted,
        Action::FeedFrozen,
        Action::FeedPublished,
        Action::HookChanged,
        Action::HookDeleted,
        Action::ImportChanged,
        Action::ImportDeleted,
        Action::ImportAsked,
        Action::ImportRan,
    ];

    /// The word used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Action::Listed => "listed",
            Action::Removed => "removed",
            Action::Withdrawn => "withdrawn",
            Action::Expired => "expired",
            Action::Changed => "changed",
            Action::Undone => "undone",
            Action::Allowed => "allowed",
            Action::AllowChanged => "allow_changed",
            Action::Disallowed => "disallowed",
            Action::AccountCreated => "account_created",
            Action::AccountChanged => "account_changed",
            Action::AccountDeleted => "account_deleted",
            Action::TokenMade => "token_made",
            Action::TokenRevoked => "token_revoked",
            Action::SettingsChanged => "settings_changed",
            Action::Founded => "founded",
            Action::NodeAdmitted => "node_admitted",
            Action::FeedMade => "feed_made",
            Action::FeedChanged => "feed_changed",
            Action::FeedDeleted => "feed_deleted",
            Action::FeedFrozen => "feed_frozen",
            Action::FeedPublished => "feed_published",
            Action::HookChanged => "hook_changed",
            Action::HookDeleted => "hook_deleted",
            Action::ImportChanged => "import_changed",
            Action::ImportDeleted => "import_deleted",
            Action::ImportAsked => "import_asked",
            Action::ImportRan => "import_ran",
        }
    }

    /// The memory that keeps it.
    pub fn class(self) -> Class {
        match self {
            Action::Listed | Action::Removed | Action::Withdrawn | Action::Expired => Class::Reports,
            _ => Class::Decisions,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Value(value) => value.fmt(f),
            Subject::Name(name) => f.write_str(name),
        }
    }
}
