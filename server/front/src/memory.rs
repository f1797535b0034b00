//! Room in memory for the requests that are being worked on.
//!
//! A connection is nothing but a socket, some 2 kB, until its next request is whole in the kernel's buffer and can go on. From then on it
//! has hyper's buffers on both sides, its head as hyper keeps it, and two tasks. Those are counted before they are made: a request takes its
//! cost from the room, and others wait as mere sockets until it gives it back. So the sum has a bound, whatever strangers send.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::read_budget::ReadBudget;

/// Unit of the room in bytes, as permits are 32-bit numbers.
const UNIT: usize = 1024;

/// Cost of a request besides its head: the buffers of both connections and the tasks, at most, while the front is crowded. In fact 1,000
/// requests in flight that nobody answers have 22 kB each, and 1,000 whose clients do not read 40 kB each.
const REQUEST: usize = 48 << 10;

/// What the headers of a request take of memory for each of their bytes: in the buffer, which is a power of two, and as they are sent.
const HEAD_FACTOR: usize = 3;

/// What each header takes besides: in the map, which is up to half empty, and in the copy for a repetition.
const HEADER: usize = 512;

/// Requests for which there is room beyond the rest: for heapbeat's own routes, and for answers that say that there is no room.
const RESERVE: usize = 16;

/// Use of the room from which buffers are small.
const CROWDED: usize = 2 << 20;

/// Most that is read at a time from a connection while the front is crowded. hyper makes a buffer larger when a read has filled it.
const SMALL_READ: usize = 8000;

/// The size of a request's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadSize {
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
}

impl HeadSize {
    /// Returns the size of a head that hyper has parsed.
    pub(crate) fn of(headers: &HeaderMap, target: usize) -> Self {
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        HeadSize { bytes: bytes + target, lines: headers.len() + 1 }
    }

    /// Returns what a request with this head costs, in units.
    fn cost(self) -> u32 {
        let head = self.bytes.saturating_mul(HEAD_FACTOR).saturating_add(self.lines.saturating_mul(HEADER));
        u32::try_from(REQUEST.saturating_add(head).div_ceil(UNIT)).unwrap_or(u32::MAX)
    }
}

/// The room.
#[derive(Debug)]
pub(crate) struct MemoryRoom {
    /// Its size in units.
    size: u32,
    regular: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    wanted: Notify,
}

/// What a connection has of the room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    permit: OwnedSemaphorePermit,
    is_reserve: bool,
}

impl MemoryRoom {
    /// Creates a room of so many bytes, or of one request.
    pub(crate) fn new(bytes: usize) -> Self {
        let size = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).min(1 << 24);
        let size = size.max(HeadSize::default().cost());
        let reserve = Arc::new(Semaphore::new(RESERVE));
        MemoryRoom { size, regular: Arc::new(Semaphore::new(size as usize)), reserve, wanted: Notify::new() }
    }

    /// Takes the cost of a request, if there is room.
    pub(crate) fn try_charge(&self, head: HeadSize) -> Option<Charge> {
        let permit = Arc::clone(&self.regular).try_acquire_many_owned(self.cost(head)).ok()?;
        Some(Charge { permit, is_reserve: false })
    }

    /// Takes the cost of a request, in the order of the calls. `None` never occurs, as the semaphore is not closed.
    pub(crate) async fn charge(&self, head: HeadSize) -> Option<Charge> {
        let permit = Arc::clone(&self.regular).acquire_many_owned(self.cost(head)).await.ok()?;
        Some(Charge { permit, is_reserve: false })
    }

    /// Takes the cost of a request that the front answers itself; from the reserve, if there is no other room.
    pub(crate) async fn charge_own(&self, head: HeadSize) -> Option<Charge> {
        if let Some(charge) = self.try_charge(head) {
            return Some(charge);
        }
        let permit = Arc::clone(&self.reserve).acquire_owned().await.ok()?;
        Some(Charge { permit, is_reserve: true })
    }

    /// Asks connections that have a part of the room and no request to give it back.
    pub(crate) fn want(&self) {
        self.wanted.notify_waiters();
    }

    /// Completes when somebody wants room.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Whether so much is taken that buffers have to be small.
    fn is_crowded(&self) -> bool {
        self.used() > CROWDED
    }

    /// Returns the bytes that are taken.
    pub(crate) fn used(&self) -> usize {
        (self.size as usize - self.regular.available_permits().min(self.size as usize)) * UNIT
    }

    fn cost(&self, head: HeadSize) -> u32 {
        head.cost().min(self.size)
    }
}

impl Charge {
    /// Whether this is a place of the reserve.
    pub(crate) const fn is_reserve(&self) -> bool {
        self.is_reserve
    }

    /// Makes the charge cover a request for the program; false if there is no room for it.
    pub(crate) fn cover(&mut self, room: &MemoryRoom, head: HeadSize) -> bool {
        if self.is_reserve {
            let Some(charge) = room.try_charge(head) else { return false };
            *self = charge;
            return true;
        }
        let paid = u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX);
        let Some(more) = room.cost(head).checked_sub(paid).filter(|more| *more > 0) else { return true };
        let added = Arc::clone(&room.regular).try_acquire_many_owned(more);
        added.map(|added| self.permit.merge(added)).is_ok()
    }
}

/// Reads little while the front is crowded. A buffer to which nothing is read is not touched then, so that it takes no memory.
pub(crate) fn poll_read_in(
    room: &MemoryRoom,
    stream: Pin<&mut impl AsyncRead>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if !room.is_crowded() {
        return stream.poll_read(cx, buf);
    }
    let mut space = [MaybeUninit::uninit(); SMALL_READ];
    let mut read = ReadBuf::uninit(&mut space[..buf.remaining().min(SMALL_READ)]);
    ready!(stream.poll_read(cx, &mut read))?;
    buf.put_slice(read.filled());
    Poll::Ready(Ok(()))
}

/// A connection to the program, of which little is read at a time while the front is crowded, and not without end before it says something.
#[derive(Debug)]
pub(crate) struct LimitedReads<S> {
    stream: S,
    room: Arc<MemoryRoom>,
    budget: Arc<ReadBudget>,
}

impl<S> LimitedReads<S> {
    pub(crate) const fn new(stream: S, room: Arc<MemoryRoom>, budget: Arc<ReadBudget>) -> Self {
        LimitedReads { stream, room, budget }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LimitedReads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(poll_read_in(&this.room, Pin::new(&mut this.stream), cx, buf))?;
        if this.budget.spend(buf.filled().len() - before) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "too many bytes that say nothing")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LimitedReads<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: HeadSize = HeadSize { bytes: 100, lines: 3 };
    const LARGE: HeadSize = HeadSize { bytes: 16 << 10, lines: 100 };

    #[test]
    fn requests_take_what_they_cost_until_the_room_is_full() {
        let room = MemoryRoom::new(10 << 20);
        let fill = |head| std::iter::from_fn(|| room.try_charge(head)).collect::<Vec<Charge>>();
        let small = fill(SMALL);
        assert_eq!((small.len(), room.used() <= 10 << 20), (204, true));
        assert!(room.is_crowded());
        drop(small);
        assert_eq!((room.used(), room.is_crowded()), (0, false));
        assert_eq!(fill(LARGE).len(), 70, "a large head costs three times as much");
    }

    #[test]
    fn a_room_has_place_for_one_request_whatever_its_size() {
        let room = MemoryRoom::new(0);
        let charge = room.try_charge(LARGE).unwrap();
        assert!(room.try_charge(SMALL).is_none());
        drop(charge);
        assert!(room.try_charge(SMALL).is_some());
    }

    #[tokio::test]
    async fn what_the_front_answers_itself_has_a_reserve_that_is_not_the_programs() {
        let room = MemoryRoom::new(0);
        let all = room.charge(SMALL).await.unwrap();
        let mut own = room.charge_own(SMALL).await.unwrap();
        assert!(own.is_reserve() && !own.cover(&room, SMALL));
        drop(all);
        assert!(own.cover(&room, SMALL) && !own.is_reserve());
        assert!(room.try_charge(SMALL).is_none());
    }

    #[test]
    fn a_later_request_with_a_larger_head_pays_the_difference() {
        let room = MemoryRoom::new(200 << 10);
        let mut charge = room.try_charge(SMALL).unwrap();
        let before = room.used();
        assert!(charge.cover(&room, LARGE) && room.used() > before);
        let most = room.used();
        assert!(charge.cover(&room, SMALL) && charge.cover(&room, LARGE));
        assert_eq!(room.used(), most, "it is not paid twice");
        drop(charge);
        assert_eq!(room.used(), 0);
    }
}
