//! The wires between the nodes: each message takes its time, overtakes others, is lost, or finds nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use parking_lot::Mutex;

use super::Chance;
use super::machine::Still;
use super::node::{Raft, SimConfig};
use crate::cluster::Address;
use crate::types::Vote;

/// Whoever hears nothing for so long gives up.
const LOST_AFTER: Duration = Duration::from_millis(400);

type RpcError = RPCError<SimConfig>;

/// All wires.
#[derive(Clone)]
pub(super) struct Wires(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    /// Nothing passes from the first to the second.
    held: BTreeSet<(u64, u64)>,
    loss_percent: u64,
    slow: bool,
    running: BTreeMap<u64, Raft>,
}

impl Wires {
    pub(super) fn new(chance: Chance) -> Wires {
        let (held, running) = (BTreeSet::new(), BTreeMap::new());
        Wires(Arc::new(Mutex::new(State { chance, held, loss_percent: 0, slow: false, running })))
    }

    pub(super) fn hold(&self, from: u64, to: u64) {
        self.0.lock().held.insert((from, to));
    }

    pub(super) fn spoil(&self, loss_percent: u64, slow: bool) {
        let mut state = self.0.lock();
        (state.loss_percent, state.slow) = (loss_percent, slow);
    }

    pub(super) fn heal(&self) {
        self.0.lock().held.clear();
        self.spoil(0, false);
    }

    pub(super) fn come(&self, id: u64, raft: Raft) {
        self.0.lock().running.insert(id, raft);
    }

    pub(super) fn go(&self, id: u64) {
        self.0.lock().running.remove(&id);
    }
}

/// One end of all wires of a node, as long as it lives.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) wires: Wires,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) alive: Arc<AtomicBool>,
}

impl Line {
    async fn pass(&self, from: u64, to: u64) -> io::Result<()> {
        let taken = {
            let state = self.wires.0.lock();
            let lost = state.held.contains(&(from, to))
                || state.chance.percent(state.loss_percent)
                || !self.alive.load(Ordering::Relaxed);
            let delay =
                if state.slow { state.chance.between_ms(50, 300) } else { state.chance.between_ms(1, 20) };
            (!lost).then_some(delay)
        };
        match taken {
            Some(delay) => {
                SimRuntime::sleep(delay).await;
                Ok(())
            }
            None => {
                SimRuntime::sleep(LOST_AFTER).await;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    /// Asks the node at the other end, which carries the question out whether or not its answer arrives.
    pub(super) async fn ask<T, F>(&self, question: impl FnOnce(Raft) -> F + Send) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.pass(self.from, self.to).await?;
        let asked = self.wires.0.lock().running.get(&self.to).cloned();
        let asked = asked.ok_or(io::ErrorKind::ConnectionRefused)?;
        let answer =
            SimRuntime::spawn(question(asked)).await.map_err(|error| io::Error::other(error.to_string()))?;
        self.pass(self.to, self.from).await?;
        Ok(answer)
    }

    /// Has the node at the other end do something, if it arrives there.
    pub(super) async fn tell<F>(&self, what: impl FnOnce(Raft) -> F + Send)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.pass(self.from, self.to).await.is_ok() {
            let told = self.wires.0.lock().running.get(&self.to).cloned();
            told.map(|raft| SimRuntime::spawn(what(raft)));
        }
    }

    async fn call<T, E, F>(&self, question: impl FnOnce(Raft) -> F + Send) -> Result<T, RpcError>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        match self.ask(question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(away(&io::Error::other(error.to_string()))),
            Err(error) => Err(away(&error)),
        }
    }
}

fn away(error: &io::Error) -> RpcError {
    RPCError::Unreachable(Unreachable::new(error))
}

impl RaftNetworkFactory<SimConfig> for Line {
    type Network = Line;

    async fn new_client(&mut self, target: u64, _address: &Address) -> Line {
        Line { to: target, ..self.clone() }
    }
}

impl RaftNetworkV2<SimConfig> for Line {
    type SnapshotData = Still;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<SimConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<SimConfig>, RpcError> {
        self.call(|raft| async move { raft.append_entries(rpc).await }).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<SimConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<SimConfig>, RpcError> {
        self.call(|raft| async move { raft.vote(rpc).await }).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<SimConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<SimConfig>, RpcError> {
        self.call(|raft| async move { raft.pre_vote(rpc).await }).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<SimConfig, Still>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<SimConfig>, StreamingError<SimConfig>> {
        let sending = self.ask(|raft| async move { raft.install_full_snapshot(vote, snapshot).await });
        match select(Box::pin(sending), Box::pin(cancel)).await {
            Either::Left((Ok(Ok(response)), _)) => Ok(response),
            Either::Left((Ok(Err(error)), _)) => {
                Err(StreamingError::Unreachable(Unreachable::new(&io::Error::other(error.to_string()))))
            }
            Either::Left((Err(error), _)) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
            Either::Right((closed, _)) => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<SimConfig>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<SimConfig>, RpcError> {
        self.call(|raft| async move { raft.handle_transfer_leader(request).await }).await
    }
}
