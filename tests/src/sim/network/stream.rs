//! One end of a simulated connection: bytes with TCP's meaning. What is written arrives in order, late, or never, and then
//! the end that waited for an acknowledgement gives up; the other may not notice. Touches the fabric alone.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{
    Fabric,
    paths::{Millis, span},
};

/// What arrives at an end.
#[derive(Debug)]
pub(super) enum Arriving {
    Bytes(VecDeque<u8>),
    /// The other end sends nothing more.
    End,
    /// The other end knows nothing of this connection.
    Reset,
}

/// One end, as the fabric knows it.
#[derive(Debug, Default)]
pub(super) struct End {
    /// What is under way to it, by the time of arrival.
    arriving: VecDeque<(Millis, Arriving)>,
    /// When it gives the connection up.
    pub(super) given_up: Option<Millis>,
    /// Why it is dead.
    broken: Option<io::ErrorKind>,
    /// Its process is gone, or has let it go.
    pub(super) gone: bool,
    /// It has read something of the other.
    pub(super) heard: bool,
    reader: Option<Waker>,
}

/// A connection: who is at either end, and the ends.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) nodes: [usize; 2],
    pub(super) ends: [End; 2],
    /// Nothing passes any more, and nobody is told.
    pub(super) black_hole: bool,
}

impl Connection {
    pub(super) fn wake(&mut self, side: usize) {
        if let Some(reader) = self.ends[side].reader.take() {
            reader.wake();
        }
    }

    /// Something arrives at `side`, after all that is under way already.
    pub(super) fn arrive(&mut self, side: usize, at: Millis, what: Arriving) {
        let end = &mut self.ends[side];
        let at = end.arriving.back().map_or(at, |(last, _)| at.max(*last));
        end.arriving.push_back((at, what));
        self.wake(side);
    }

    /// An end dies here and now.
    pub(super) fn break_end(&mut self, side: usize, kind: io::ErrorKind) {
        self.ends[side].broken.get_or_insert(kind);
        self.wake(side);
    }
}

/// One end, as a node holds it.
pub(super) struct SimStream {
    fabric: Arc<Mutex<Fabric>>,
    number: u64,
    side: usize,
    sleep: Pin<Box<Sleep>>,
    shut: bool,
}

impl SimStream {
    pub(super) fn new(fabric: Arc<Mutex<Fabric>>, number: u64, side: usize) -> Self {
        Self { fabric, number, side, sleep: Box::pin(tokio::time::sleep(span(0))), shut: false }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let next = {
                let mut fabric = this.fabric.lock();
                let (now, began) = (fabric.now(), fabric.began);
                let Some(connection) = fabric.connections.get_mut(&this.number) else {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                };
                let end = &mut connection.ends[this.side];
                if let Some(kind) = end.broken {
                    return Poll::Ready(Err(kind.into()));
                }
                match end.arriving.front_mut() {
                    Some((at, what)) if *at <= now => match what {
                        Arriving::Bytes(bytes) => {
                            let (first, _) = bytes.as_slices();
                            let count = first.len().min(buffer.remaining());
                            buffer.put_slice(&first[..count]);
                            end.heard = true;
                            bytes.drain(..count);
                            if bytes.is_empty() {
                                end.arriving.pop_front();
                            }
                            return Poll::Ready(Ok(()));
                        }
                        Arriving::End => return Poll::Ready(Ok(())),
                        Arriving::Reset => {
                            end.broken = Some(io::ErrorKind::ConnectionReset);
                            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                        }
                    },
                    _ => {}
                }
                if end.given_up.is_some_and(|at| at <= now) {
                    end.broken = Some(io::ErrorKind::TimedOut);
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                end.reader = Some(context.waker().clone());
                let arrival = end.arriving.front().map(|(at, _)| *at);
                let next = [arrival, end.given_up].into_iter().flatten().min();
                next.map(|at| began + span(at))
            };
            let Some(next) = next else { return Poll::Pending };
            if this.sleep.deadline() != next {
                this.sleep.as_mut().reset(next);
            }
            if this.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() < next {
                this.sleep.as_mut().reset(next);
            }
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let this = self.get_mut();
        let mut fabric = this.fabric.lock();
        Poll::Ready(fabric.send(this.number, this.side, bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            this.shut = true;
            this.fabric.lock().finish(this.number, this.side, false);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.fabric.lock().finish(self.number, self.side, true);
    }
}
