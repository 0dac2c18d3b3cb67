//! The list itself: pure data and rules. No disk, no network, no clock, nothing whose order differs between
//! processes. A test reads its imports.

mod account;
mod allow;
mod answers;
mod audit;
mod cluster_info;
mod command;
mod entry;
mod feed;
mod guard;
mod hook;
mod import;
mod kind;
mod list;
mod network;
mod observable;
mod record;
mod settings;
mod sources;
mod text;
mod timestamp;

pub use account::{Account, Role, TOKENS_MAX, Token};
pub use allow::{ALLOWS_MAX, Allow, NewAllow};
pub use answers::{ANSWER_KEPT_SECONDS, ANSWERS_MAX, Answer, AnswerKey, Given, Once};
pub use audit::{AUDIT_DECISIONS_MAX, AUDIT_REPORTS_MAX, Action, Class, Deed, Subject};
pub use cluster_info::ClusterInfo;
pub use command::{
    Actor, Batch, COMMENT_BYTES_MAX, Command, EXPIRED_MAX, Line, NODE_ADDRESSES_MAX, Operation, Origin,
    Outcome, Patch, REPORTS_MAX, Refusal, Report, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, UNDO_SCAN_MAX,
    Undo, VERSION, Whose,
};
pub use entry::{Entry, WholeEntry};
pub use feed::{
    DIGEST_SUFFIXES, FEED_TEXT_BYTES_MAX, FEEDS_MAX, FREEZE_FREE_ENTRIES, FREEZE_WINDOW_SECONDS, Frozen,
    NamedFeed, Profile, Published,
};
pub use hook::{HOOK_BYTES_MAX, HOOKS_MAX, Hook};
pub use import::{IMPORT_BYTES_MAX, IMPORTS_MAX, Import, ImportRun};
pub use kind::Kind;
pub use list::{Applied, Cuts, Exported, Exporting, Feed, Gone, List, Modified, Rehearsal, Touched};
pub use network::Network;
pub use observable::{Malformed, Observable};
pub use record::{Before, Change, OriginMark, Record, RecordKey};
pub use settings::{
    ClusterSettings, GROWTH_FREE_ENTRIES, Growth, GrowthBrake, REPLACE_DEAD_AFTER_SECONDS_MIN,
};
pub use sources::{OTHER_SOURCES, SOURCES_MAX, SourceReport, Sources};
pub use timestamp::Timestamp;

#[cfg(test)]
pub(crate) mod tests;
