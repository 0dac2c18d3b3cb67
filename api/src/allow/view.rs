//! An entry of the allow list as it is shown.

use raft::blocklist::Allow;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct View<'a> {
    pub(super) value: String,
    pub(super) r#type: &'a str,
    pub(super) comment: &'a str,
    pub(super) account: &'a str,
    pub(super) time_added: String,
    /// How many reports it has refused.
    pub(super) prevented: u64,
}

impl<'a> From<&'a Allow> for View<'a> {
    fn from(allow: &'a Allow) -> View<'a> {
        View {
            value: allow.value.to_string(),
            r#type: allow.value.kind().name(),
            comment: &allow.comment,
            account: &allow.account,
            time_added: allow.time_added.to_string(),
            prevented: allow.prevented,
        }
    }
}
