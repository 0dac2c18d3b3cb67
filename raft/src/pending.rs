//! The list as this node shows it while reports wait here for a majority: what everybody agrees on, with these
//! reports on top. A cut-off segment protects itself at once.

use std::sync::Arc;

use crate::blocklist::Rehearsal;
use crate::cluster::Picture;
use crate::error::Error;
use crate::outbox::Outbox;

/// Reports put on top without another thread's help.
const INLINE_MAX: usize = 256;

/// The last picture with pending reports; it is extended while only further reports come.
#[derive(Default)]
pub(crate) struct Overlay(tokio::sync::Mutex<Option<Layer>>);

struct Layer {
    base: Arc<Picture>,
    /// The last command of the outbox that the base holds.
    applied: u64,
    /// The last command of the outbox on top of it.
    last: u64,
    /// How many reports that is.
    count: u64,
    rehearsal: Rehearsal,
    picture: Arc<Picture>,
}

impl Layer {
    fn new(base: Arc<Picture>, applied: u64) -> Layer {
        let rehearsal = Rehearsal::new(&base.list, base.index);
        Layer { picture: base.clone(), base, applied, last: applied, count: 0, rehearsal }
    }
}

impl Overlay {
    /// This picture with what waits in the outbox on top; the same picture when nothing does.
    pub(crate) async fn picture(&self, base: Arc<Picture>, outbox: &Outbox) -> Result<Arc<Picture>, Error> {
        if !outbox.holds_pending() {
            return Ok(base);
        }
        let mut kept = self.0.lock().await;
        // Numbers alone: nothing is behind the last number.
        let Some(pending) = outbox.pending_after(u64::MAX) else { return Ok(base) };
        let fits = |layer: &Layer| {
            layer.base.index == base.index && layer.applied == pending.applied && layer.last <= pending.last
        };
        let mut layer = match kept.take().filter(fits) {
            Some(layer) => layer,
            None => Layer::new(base, pending.applied),
        };
        if layer.last < pending.last {
            let Some(new) = outbox.pending_after(layer.last).filter(|new| new.applied == layer.applied)
            else {
                // It is being applied at this moment: the next picture has it.
                return Ok(layer.base);
            };
            let many = new.reports.len() > INLINE_MAX;
            let extend = move || {
                layer.count += new.reports.len() as u64;
                layer.rehearsal.run(new.reports);
                layer.last = new.last;
                let Picture { index, digest, .. } = *layer.base;
                let list = layer.rehearsal.list().clone();
                layer.picture = Arc::new(Picture { list, index, digest, pending: layer.count });
                layer
            };
            layer = match many {
                true => {
                    let lost = |_| Error::Stopped("the pending reports could not be shown".into());
                    tokio::task::spawn_blocking(extend).await.map_err(lost)?
                }
                false => extend(),
            };
        }
        let picture = layer.picture.clone();
        *kept = Some(layer);
        Ok(picture)
    }
}
