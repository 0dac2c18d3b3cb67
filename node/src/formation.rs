//! How an empty node comes to its cluster: it founds one, joins one, or, with `--expect`, waits until all the
//! empty nodes see each other and one of them founds it. A node that lost its disk sees the others in a
//! cluster, or does not see them at all: it never founds a second one.

use std::collections::BTreeSet;
use std::time::Duration;

use api::wire::{Formation, JoinAnswer, JoinRequest};
use raft::{Address, JoinTicket};

use crate::settings::Settings;

/// Between two rounds of asking, at first and at most.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Time one node has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What an empty node does next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Found,
    /// Join through these, in order.
    Join(Vec<String>),
}

/// What this node should become.
pub(crate) enum Formed {
    Founder,
    Member(JoinTicket),
}

/// Decides from what the other nodes said of themselves. `own` is this node's join key.
fn decide(own: &str, expect: Option<usize>, seen: &[(String, Option<Formation>)]) -> Step {
    let members = seen.iter().filter(|(_, said)| matches!(said, Some(Formation::Member { .. })));
    let members: Vec<String> = members.map(|(url, _)| url.clone()).collect();
    if !members.is_empty() {
        return Step::Join(members);
    }
    let Some(expect) = expect else { return Step::Wait };
    let mut keys: BTreeSet<&str> = seen
        .iter()
        .filter_map(|(_, said)| match said {
            Some(Formation::Waiting { join_key }) => Some(join_key.as_str()),
            _ => None,
        })
        .collect();
    // A silent node may be in a cluster already. Only one can be excused: this node, if it does not reach itself.
    let silent = seen.iter().filter(|(_, said)| said.is_none()).count();
    let all_spoke = silent <= usize::from(!keys.contains(own));
    keys.insert(own);
    match all_spoke && keys.len() >= expect && keys.first() == Some(&own) {
        true => Step::Found,
        false => Step::Wait,
    }
}

/// Asks around until this node is to found a cluster or has been taken into one.
pub(crate) async fn form(settings: &Settings, address: &Address, join_key: [u8; 16], token: &str) -> Formed {
    if settings.join.is_empty() {
        return Formed::Founder;
    }
    let request = JoinRequest {
        join_key: hex::encode(join_key),
        peers: address.peers.clone(),
        http: address.http.clone(),
        learner: settings.learner,
    };
    let mut pause = PAUSE;
    loop {
        let seen = ask_all(&settings.join, token).await;
        let step = decide(&request.join_key, settings.expect, &seen);
        tracing::debug!(?step, ?seen, "forming");
        match step {
            Step::Found => return Formed::Founder,
            Step::Wait => tracing::info!(urls = ?settings.join, "waiting for the other nodes"),
            Step::Join(urls) => {
                for url in urls {
                    match join(&url, token, &request).await {
                        Ok(ticket) => return Formed::Member(ticket),
                        Err(reason) => tracing::warn!(url, reason, "not taken in yet; trying again"),
                    }
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

async fn ask_all(urls: &[String], token: &str) -> Vec<(String, Option<Formation>)> {
    let mut seen = Vec::new();
    for url in urls {
        let said = match call(url, "/admin/formation", token, None).await {
            Ok(text) => serde_json::from_str(&text).ok(),
            Err(reason) => {
                match reason.starts_with("401") {
                    true => tracing::warn!(
                        url,
                        "a node refuses the registration token; set REGISTRATION_TOKEN to its"
                    ),
                    false => tracing::info!(url, reason, "no word from a node"),
                }
                None
            }
        };
        seen.push((url.clone(), said));
    }
    seen
}

async fn join(url: &str, token: &str, request: &JoinRequest) -> Result<JoinTicket, String> {
    let body = serde_json::to_string(request).map_err(|error| error.to_string())?;
    let text = call(url, "/admin/members", token, Some(body)).await?;
    let answer: JoinAnswer = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    answer.try_into()
}

/// One request with the registration token; anything but 200 is an error with its message.
async fn call(url: &str, path: &str, token: &str, body: Option<String>) -> Result<String, String> {
    let (url, token) = (format!("{url}{path}"), token.to_owned());
    let calling = tokio::task::spawn_blocking(move || {
        let config =
            ureq::Agent::config_builder().timeout_global(Some(ANSWER_TIMEOUT)).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let answer = match body {
            None => agent.get(&url).header("x-authentication", &token).call(),
            Some(body) => agent
                .post(&url)
                .header("x-authentication", &token)
                .header("content-type", "application/json")
                .send(body),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        match status.is_success() {
            true => Ok(text),
            false => Err(format!("{status}: {text}")),
        }
    });
    calling.await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(key: &str) -> Option<Formation> {
        Some(Formation::Waiting { join_key: key.into() })
    }

    fn member() -> Option<Formation> {
        Some(Formation::Member { cluster_id: "c".into(), node_id: 1 })
    }

    #[track_caller]
    fn check(why: &str, expect: Option<usize>, seen: &[Option<Formation>], step: Step) {
        let seen: Vec<_> = (1..).zip(seen).map(|(n, said)| (format!("http://n{n}"), said.clone())).collect();
        assert_eq!(decide("a", expect, &seen), step, "{why}");
    }

    #[test]
    fn what_an_empty_node_does_next() {
        let join = |urls: &[&str]| Step::Join(urls.iter().map(|url| (*url).into()).collect());
        check(
            "all are empty, and this one is the smallest",
            Some(3),
            &[waiting("a"), waiting("b"), waiting("c")],
            Step::Found,
        );
        check(
            "all are empty, and another is the smallest",
            Some(3),
            &[waiting("a"), waiting("A"), waiting("c")],
            Step::Wait,
        );
        check("one is not seen", Some(3), &[waiting("a"), waiting("b"), None], Step::Wait);
        check(
            "the same node under two names counts once",
            Some(3),
            &[waiting("a"), waiting("b"), waiting("b")],
            Step::Wait,
        );
        check("the list need not hold this node", Some(3), &[waiting("b"), waiting("c"), None], Step::Found);
        check(
            "one has a cluster: a lost disk never founds another",
            Some(3),
            &[waiting("a"), member(), waiting("c")],
            join(&["http://n2"]),
        );
        check(
            "of more nodes than expected, a silent one may be in a cluster",
            Some(3),
            &[waiting("a"), waiting("b"), waiting("c"), None],
            Step::Wait,
        );
        check(
            "the other side of the same cut",
            Some(3),
            &[None, waiting("a"), waiting("c"), waiting("d"), None],
            Step::Wait,
        );
        check(
            "more nodes than expected, and all are empty",
            Some(3),
            &[waiting("a"), waiting("b"), waiting("c"), waiting("d")],
            Step::Found,
        );
        check("joining waits for a member", None, &[waiting("b"), None, None], Step::Wait);
        check("any member will do", None, &[None, member(), member()], join(&["http://n2", "http://n3"]));
    }
}
