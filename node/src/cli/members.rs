//! `stockade members`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{As, Client, Connection};
use super::{Ended, output};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show the members; the same as no action
    List,
    /// Make a learner a voter
    Promote {
        /// The node's id
        id: u64,
    },
    /// Remove a member; refused when the voters left would be no majority
    Remove {
        /// The node's id
        id: u64,
    },
    /// Hand leadership to a voter, by default to the one that is most caught up
    Transfer {
        /// The node's id
        id: Option<u64>,
    },
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let client = Client::new(&self.connection);
        let none = json!({});
        let answer = match self.action {
            None | Some(Action::List) => return list(&client),
            Some(Action::Promote { id }) => {
                client.send("POST", &format!("/admin/members/{id}/promote"), As::Operator, &none)
            }
            Some(Action::Remove { id }) => {
                client.send("DELETE", &format!("/admin/members/{id}"), As::Operator, &none)
            }
            Some(Action::Transfer { id }) => {
                client.send("POST", "/admin/leader", As::Operator, &json!({ "to": id }))
            }
        };
        output::line(&answer?.success()?.message())?;
        Ok(Ended::Done)
    }
}

fn list(client: &Client) -> Result<Ended, String> {
    let members = client.get("/admin/members", As::Operator)?.success()?.json()?;
    output::line(&format!(
        "{:>4}  {:<8} {:<7} {:>12}  {:<16} {:<28} peers",
        "id", "role", "leads", "index", "health", "http"
    ))?;
    for member in members.as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let leads = if member["leader"] == true { "yes" } else { "" };
        let index = member["matched"].as_u64().map_or("-".into(), |index| index.to_string());
        let (id, role) = (member["id"].to_string(), text(&member["role"]));
        let (http, peers) = (text(&member["address"]["http"]), text(&member["address"]["peers"]));
        let health = health(member);
        output::line(&format!("{id:>4}  {role:<8} {leads:<7} {index:>12}  {health:<16} {http:<28} {peers}"))?;
    }
    Ok(Ended::Done)
}

/// Whether the leader hears from a member, and since when it does not.
fn health(member: &Value) -> String {
    match (member["healthy"].as_bool(), member["last_heard_ms"].as_u64()) {
        (Some(true), _) => "healthy".into(),
        (Some(false), Some(ms)) => format!("silent for {} s", ms / 1000),
        _ => "-".into(),
    }
}
