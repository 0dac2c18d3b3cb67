//! Who is there? Before anything else each side proves that it knows the peer secret, by a MAC over both
//! sides' fresh nonces and the route, and the server refuses a route that does not end at it.

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::network::frame::{Route, read_plain, write_plain};

/// The version of everything said between nodes.
const PROTOCOL: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Challenge {
    protocol: u32,
    nonce: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    route: Route,
    nonce: [u8; 32],
    proof: [u8; 32],
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Welcome { proof: [u8; 32] },
    Refused(String),
}

/// The calling side: proves itself over `route`, and checks the one called.
pub(crate) async fn call(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    route: Route,
    secret: &[u8; 32],
) -> io::Result<()> {
    let challenge: Challenge = read_plain(stream).await?;
    let nonce = nonce()?;
    let proof = prove(secret, "caller", route, &challenge.nonce, &nonce).finalize().into_bytes().into();
    write_plain(stream, &Hello { protocol: PROTOCOL, route, nonce, proof }).await?;
    match read_plain(stream).await? {
        Answer::Refused(reason) => Err(denied(format!("the peer refused: {reason}"))),
        Answer::Welcome { proof } => prove(secret, "called", route, &challenge.nonce, &nonce)
            .verify_slice(&proof)
            .map_err(|_| denied("the peer does not know the cluster's secret".into())),
    }
}

/// The called side: lets in a member of this cluster that means this node; returns the caller's route.
pub(crate) async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    cluster_id: [u8; 16],
    node_id: u64,
    secret: &[u8; 32],
) -> io::Result<Route> {
    let challenge = Challenge { protocol: PROTOCOL, nonce: nonce()? };
    write_plain(stream, &challenge).await?;
    let hello: Hello = read_plain(stream).await?;
    let proof = prove(secret, "caller", hello.route, &challenge.nonce, &hello.nonce);
    let refusal = if hello.protocol != PROTOCOL {
        Some(format!("protocol {} is not spoken here, only {PROTOCOL}", hello.protocol))
    } else if hello.route.cluster_id != cluster_id {
        Some("this node belongs to another cluster".into())
    } else if hello.route.to != node_id {
        Some(format!("this is node {node_id}, not node {}", hello.route.to))
    } else if hello.route.from == node_id {
        Some(format!("node {node_id} is here already"))
    } else if proof.verify_slice(&hello.proof).is_err() {
        Some("the cluster's secret is another".into())
    } else {
        None
    };
    if let Some(reason) = refusal {
        write_plain(stream, &Answer::Refused(reason.clone())).await?;
        return Err(denied(reason));
    }
    let proof = prove(secret, "called", hello.route, &challenge.nonce, &hello.nonce);
    write_plain(stream, &Answer::Welcome { proof: proof.finalize().into_bytes().into() }).await?;
    Ok(hello.route)
}

fn denied(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

fn nonce() -> io::Result<[u8; 32]> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    Ok(nonce)
}

fn prove(secret: &[u8; 32], side: &str, route: Route, server: &[u8; 32], client: &[u8; 32]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("an HMAC takes a key of any length");
    mac.update(side.as_bytes());
    mac.update(&route.cluster_id);
    mac.update(&route.from.to_be_bytes());
    mac.update(&route.to.to_be_bytes());
    mac.update(server);
    mac.update(client);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    const CLUSTER: [u8; 16] = [7; 16];

    async fn meet(route: Route, caller_secret: [u8; 32]) -> (io::Result<()>, io::Result<Route>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let called = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream, CLUSTER, 2, &[1; 32]).await
        };
        let caller = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            call(&mut stream, route, &caller_secret).await
        };
        tokio::join!(caller, called)
    }

    #[tokio::test]
    async fn only_a_member_that_means_this_node_gets_in() {
        let route = |cluster_id, from, to| Route { cluster_id, from, to };
        let rows = [
            (route(CLUSTER, 1, 2), [1; 32], None),
            (route([8; 16], 1, 2), [1; 32], Some("another cluster")),
            (route(CLUSTER, 1, 3), [1; 32], Some("this is node 2, not node 3")),
            (route(CLUSTER, 2, 2), [1; 32], Some("node 2 is here already")),
            (route(CLUSTER, 1, 2), [9; 32], Some("secret")),
        ];
        for (route, secret, refusal) in rows {
            let (caller, called) = meet(route, secret).await;
            match refusal {
                None => {
                    caller.unwrap();
                    assert_eq!(called.unwrap(), route);
                }
                Some(reason) => {
                    assert!(caller.unwrap_err().to_string().contains(reason), "{reason}");
                    assert!(called.unwrap_err().to_string().contains(reason), "{reason}");
                }
            }
        }
    }
}
