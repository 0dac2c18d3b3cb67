//! Which commands the cluster may hold while its nodes run different builds: a version in the replicated state,
//! raised by the leader once every member knows it. A command that is newer never enters the log.

use std::time::Duration;

use crate::blocklist::{Command, List, VERSION};
use crate::error::Error;

/// Refuses commands that are newer than the cluster's version.
pub(crate) fn gate(commands: &[Command], cluster: u32) -> Result<(), Error> {
    let newest = commands.iter().map(|command| command.operation.version()).max().unwrap_or(0);
    if newest <= cluster {
        return Ok(());
    }
    Err(Error::Unavailable {
        message: format!(
            "this needs commands of version {newest}, and the cluster runs version {cluster} until every node is \
             upgraded; nothing was done"
        ),
        retry_after: Duration::from_secs(10),
    })
}

/// The version to raise the cluster to, from what each member knows; `None` when it stays, or one did not answer.
pub(crate) fn raised(cluster: u32, members: impl IntoIterator<Item = Option<u32>>) -> Option<u32> {
    let known = members.into_iter().collect::<Option<Vec<u32>>>()?;
    known.into_iter().min().filter(|known| *known > cluster)
}

/// What a node ends with that does not know the commands of its cluster.
pub(crate) fn too_old(what: impl std::fmt::Display) -> String {
    format!(
        "this cluster runs commands of a newer version: upgrade this node; it knows version {VERSION} ({what})"
    )
}

/// Whether this program can follow a list: `Err` is the sentence to end with.
pub(crate) fn check(list: &List) -> Result<(), String> {
    check_version(list.version())
}

/// The same, of a version alone.
pub(crate) fn check_version(cluster: u32) -> Result<(), String> {
    match cluster > VERSION {
        true => Err(too_old(format_args!("the cluster runs version {cluster}"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocklist::{Actor, Batch, Operation, Origin, Role, Timestamp};
    use crate::cluster::{Address, Cluster, Settings};
    use crate::codec::{self, Content};
    use crate::node::Node;
    use crate::types::EncodedBatch;

    fn command(operation: Operation) -> Command {
        let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
        Command::new(Timestamp(0), actor, operation)
    }

    #[test]
    fn a_command_newer_than_the_cluster_is_refused_with_the_reason() {
        let commands = [command(Operation::Expire)];
        assert!(gate(&commands, 1).is_ok());
        assert!(gate(&[], 0).is_ok());
        let error = gate(&commands, 0).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("until every node is upgraded"), "{error}");
    }

    #[test]
    fn the_version_is_raised_to_what_every_member_knows() {
        // The cluster's version, what the members know, the next version.
        let rows = [
            (1, vec![Some(1), Some(1), Some(1)], None),
            (1, vec![Some(2), Some(2), Some(2)], Some(2)),
            (1, vec![Some(3), Some(2), Some(3)], Some(2)),
            (1, vec![Some(2), Some(1), Some(2)], None),
            (1, vec![Some(2), None, Some(2)], None),
            (2, vec![Some(1)], None),
            (1, vec![], None),
        ];
        for (cluster, members, next) in rows {
            assert_eq!(raised(cluster, members.clone()), next, "{cluster} {members:?}");
        }
    }

    /// A cluster of one, and the error it ends with after this batch.
    async fn ends_with(batch: Vec<u8>) -> String {
        let data = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address { peers: listener.local_addr().unwrap().to_string(), http: "http://x".into() };
        let settings = Settings::of_a_test(data.path(), address);
        let identity = Cluster::found(&settings).unwrap();
        let node = Node::start(settings, identity, listener).await.unwrap();
        let proposed = node.gathering.begin(node.id(), EncodedBatch(batch.into()));
        drop(proposed.applied().await);
        let stopped = tokio::time::timeout(Duration::from_secs(10), node.stopped());
        stopped.await.expect("the node ends").to_string()
    }

    #[tokio::test]
    async fn a_node_that_cannot_follow_its_cluster_ends_and_says_what_to_do() {
        let batch = |operation| {
            let origin = Origin { node: 9, incarnation: 1 };
            let batch = Batch { origin, first_sequence: 1, commands: vec![command(operation)] };
            codec::encode(Content::Batch, &batch).unwrap()
        };
        // The last byte is the operation's number: one that is not there yet.
        let mut unknown = batch(Operation::Expire);
        *unknown.last_mut().unwrap() = 200;
        for batch in [unknown, batch(Operation::RaiseVersion(VERSION + 1))] {
            let error = ends_with(batch).await;
            assert!(
                error.contains("this cluster runs commands of a newer version: upgrade this node"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_raised_version_stays() {
        let mut list = List::default();
        assert_eq!(list.version(), 1);
        for (sequence, version, after) in [(1, 3, 3), (2, 2, 3), (3, 4, 4)] {
            let commands = vec![command(Operation::RaiseVersion(version))];
            list.apply(
                sequence,
                &Batch { origin: Origin { node: 1, incarnation: 1 }, first_sequence: sequence, commands },
            );
            assert_eq!(list.version(), after);
        }
        assert!(check(&List::default()).is_ok());
        assert!(check(&list).unwrap_err().contains("upgrade this node"));
    }
}
