//! Reads a request's body into memory, and expands it if it is compressed, within bounds on its size, on the time that it
//! takes and on the memory of all requests together.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::timeout,
};

use super::{
    expand::{Broken, Coding, Expander},
    limits::{Limits, RETRY_OVERLOADED},
    problem::{Kind, Problem},
};
use crate::telemetry::{InFlight, Metrics};

/// Memory is given out in pieces of so many bytes.
const PIECE: usize = 1024;
/// What a body of unknown length gets at first.
const FIRST: usize = 64 * 1024;

/// A compressed body is expanded in pieces of so many bytes.
const EXPANDED_PIECE: usize = 64 * 1024;
/// Between turns of other tasks, so many bytes of a compressed body are read at most. A byte becomes about a thousand of
/// gzip, and some 30,000 of zstd.
const COMPRESSED_PIECE: usize = 1024;

/// The memory for bodies.
#[derive(Debug)]
pub(super) struct Memory {
    limits: Limits,
    pieces: Arc<Semaphore>,
    /// Turns at expanding. Not pieces: who holds some must not wait for more.
    expanding: Semaphore,
    metrics: Metrics,
}

/// A body in memory. Its memory is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub bytes: Bytes,
    _reserved: Reserved,
}

#[derive(Debug)]
struct Reserved {
    permit: OwnedSemaphorePermit,
    counted: InFlight,
}

impl Memory {
    pub(super) fn new(limits: Limits, metrics: Metrics) -> Self {
        let bytes = limits.memory_bytes.max(limits.body_bytes);
        let expanding = Semaphore::new(limits.expansions);
        Self { limits, pieces: Arc::new(Semaphore::new(pieces(bytes) as usize)), expanding, metrics }
    }

    /// Reads a whole body.
    pub(super) async fn read(&self, body: Body) -> Result<Held, Problem> {
        let length = body.size_hint().exact();
        if length.is_some_and(|length| length > self.limits.body_bytes as u64) {
            return Err(self.too_large());
        }
        let expected =
            length.and_then(|length| usize::try_from(length).ok()).unwrap_or(FIRST.min(self.limits.body_bytes));
        let mut reserved = self.reserve(expected).await?;
        match timeout(self.limits.body_time, self.collect(body, expected, &mut reserved)).await {
            Ok(collected) => Ok(Held { bytes: collected?, _reserved: reserved }),
            Err(_) => Err(Problem::new(
                Kind::BodyTimeout,
                format!("The body did not arrive within {} seconds.", self.limits.body_time.as_secs()),
            )),
        }
    }

    async fn collect(&self, mut body: Body, expected: usize, reserved: &mut Reserved) -> Result<Bytes, Problem> {
        let mut room = expected;
        let mut bytes = BytesMut::with_capacity(expected);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::new(Kind::BrokenBody, "The body ended before it was complete."))?;
            let Ok(data) = frame.into_data() else { continue };
            self.append(&mut bytes, &data, &mut room, reserved)?;
        }
        Ok(bytes.freeze())
    }

    /// Adds data to a body if it may still grow by that.
    fn append(
        &self,
        bytes: &mut BytesMut,
        data: &[u8],
        room: &mut usize,
        reserved: &mut Reserved,
    ) -> Result<(), Problem> {
        let needed = bytes.len() + data.len();
        if needed > self.limits.body_bytes {
            return Err(self.too_large());
        }
        if needed > *room {
            let more = needed.max(*room * 2).min(self.limits.body_bytes) - *room;
            self.grow(reserved, more)?;
            *room += more;
        }
        bytes.extend_from_slice(data);
        Ok(())
    }

    /// Expands a compressed body. The limits hold for what comes out, which is not made before there is room for it: a
    /// body that would become too large costs no more than one of just the largest size.
    pub(super) async fn expand(&self, compressed: Held, coding: Coding) -> Result<Held, Problem> {
        // Whoever has a turn never waits for anything, so turns come.
        let turn = timeout(self.limits.memory_wait, self.expanding.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or_else(overloaded)?;
        let mut reserved = Reserved { permit: self.take(0)?, counted: self.count(0) };
        let bytes = self.expanded(&compressed.bytes, coding, &mut reserved).await?;
        Ok(Held { bytes, _reserved: reserved })
    }

    async fn expanded(&self, compressed: &[u8], coding: Coding, reserved: &mut Reserved) -> Result<Bytes, Problem> {
        let mut expander = Expander::new(coding).map_err(broken)?;
        let (mut bytes, mut room) = (BytesMut::new(), 0);
        let (mut at, mut piece) = (0, vec![0; EXPANDED_PIECE]);
        loop {
            let end = compressed.len().min(at + COMPRESSED_PIECE);
            let step = expander.step(&compressed[at..end], &mut piece).map_err(broken)?;
            self.append(&mut bytes, &piece[..step.written], &mut room, reserved)?;
            at += step.read;
            let all_out = step.written < piece.len();
            if at == compressed.len() && all_out {
                return if expander.is_complete() { Ok(bytes.freeze()) } else { Err(broken(Broken)) };
            }
            if step.read == 0 && step.written == 0 {
                return Err(broken(Broken));
            }
            yield_now().await;
        }
    }

    /// Waits for memory.
    async fn reserve(&self, bytes: usize) -> Result<Reserved, Problem> {
        let permit = timeout(self.limits.memory_wait, self.pieces.clone().acquire_many_owned(pieces(bytes)))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(overloaded)?;
        Ok(Reserved { permit, counted: self.count(bytes) })
    }

    /// Takes more memory if it is there. It does not wait: two that hold some and wait for more would wait for each other.
    fn grow(&self, reserved: &mut Reserved, more: usize) -> Result<(), Problem> {
        reserved.permit.merge(self.take(more)?);
        reserved.counted.merge(self.count(more));
        Ok(())
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        self.pieces.clone().try_acquire_many_owned(pieces(bytes)).map_err(|_| overloaded())
    }

    fn count(&self, bytes: usize) -> InFlight {
        self.metrics.body_reserved(bytes.next_multiple_of(PIECE))
    }

    fn too_large(&self) -> Problem {
        Problem::new(
            Kind::BodyTooLarge,
            format!(
                "The request's body is larger than {} bytes, which is the most that is taken, compressed or not.",
                self.limits.body_bytes
            ),
        )
    }
}

fn broken(_: Broken) -> Problem {
    Problem::new(
        Kind::MalformedEncoding,
        "The body cannot be expanded: it is not what Content-Encoding says, or damaged, or ends early; or it is in \
         more than 1024 parts, or zstd with a window of more than 8 MiB.",
    )
}

pub(super) fn overloaded() -> Problem {
    Problem::new(Kind::Overloaded, "Too many requests are in progress. Nothing of this one was kept; try again.")
        .retry_after(RETRY_OVERLOADED)
}

fn pieces(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, pin::pin, task::Poll, time::Duration};

    use futures::{Stream, StreamExt, stream};

    use super::*;
    use crate::ingest::expand::testing::{self, BOTH};

    const LIMITS: Limits = Limits {
        body_bytes: 200 * 1024,
        memory_bytes: 256 * 1024,
        events: 1,
        requests: 1,
        expansions: 1,
        memory_wait: Duration::from_mins(10),
        body_time: Duration::from_mins(10),
    };

    fn memory(limits: Limits) -> Memory {
        Memory::new(limits, Metrics::new())
    }

    /// A body of unknown length in frames of 10 KiB.
    fn chunked(frames: usize) -> Body {
        Body::from_stream(stream::iter(std::iter::repeat_n(
            Ok::<_, Infallible>(Bytes::from(vec![7; 10 * 1024])),
            frames,
        )))
    }

    fn endless() -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        stream::once(async { Ok(Bytes::from_static(b"{")) }).chain(stream::pending())
    }

    #[tokio::test]
    async fn bodies_of_known_and_unknown_length_are_read_whole() {
        let memory = memory(LIMITS);
        assert_eq!(memory.read(Body::from("abc")).await.unwrap().bytes, "abc");
        assert_eq!(memory.read(chunked(20)).await.unwrap().bytes.len(), 200 * 1024);
        assert_eq!(memory.read(Body::empty()).await.unwrap().bytes, "");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let memory = memory(LIMITS);
        for body in [Body::from(vec![0; 200 * 1024 + 1]), chunked(21), chunked(1_000_000)] {
            assert_eq!(memory.read(body).await.unwrap_err().kind, Kind::BodyTooLarge);
        }
    }

    #[tokio::test]
    async fn memory_is_shared_and_given_back() {
        let metrics = Metrics::new();
        let memory = Memory::new(Limits { memory_wait: Duration::ZERO, ..LIMITS }, metrics.clone());
        let held = memory.read(chunked(20)).await.unwrap();
        assert!(metrics.render().contains("posthaste_ingest_bodies_bytes 204800\n"));
        assert_eq!(memory.read(Body::from(vec![0; 100 * 1024])).await.unwrap_err().kind, Kind::Overloaded);
        drop(held);
        assert!(memory.read(Body::from(vec![0; 100 * 1024])).await.is_ok());
        assert!(metrics.render().contains("posthaste_ingest_bodies_bytes 0\n"));
    }

    #[tokio::test]
    async fn a_request_waits_for_memory_until_it_is_there() {
        let memory = Arc::new(memory(LIMITS));
        let held = memory.read(chunked(20)).await.unwrap();
        let waiting = tokio::spawn({
            let memory = memory.clone();
            async move { memory.read(Body::from(vec![0; 100 * 1024])).await.map(|held| held.bytes.len()) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap().unwrap(), 100 * 1024);
    }

    #[tokio::test]
    async fn a_body_that_grows_does_not_wait_for_others_that_do() {
        let memory = memory(LIMITS);
        let _held = memory.read(Body::from(vec![0; 190 * 1024])).await.unwrap();
        assert_eq!(memory.read(chunked(10)).await.unwrap_err().kind, Kind::Overloaded);
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_given_up() {
        let memory = memory(Limits { body_time: Duration::from_millis(1), ..LIMITS });
        assert_eq!(memory.read(Body::from_stream(endless())).await.unwrap_err().kind, Kind::BodyTimeout);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_problem() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("reset"))]);
        assert_eq!(memory(LIMITS).read(Body::from_stream(broken)).await.unwrap_err().kind, Kind::BrokenBody);
    }

    async fn expanded(memory: &Memory, body: Vec<u8>, coding: Coding) -> Result<Held, Problem> {
        let held = memory.read(Body::from(body)).await.unwrap();
        memory.expand(held, coding).await
    }

    #[tokio::test]
    async fn the_largest_size_is_that_of_the_expanded_body() {
        let memory = memory(LIMITS);
        for (coding, compress) in BOTH {
            let largest = compress(&vec![b' '; LIMITS.body_bytes]);
            assert_eq!(expanded(&memory, largest, coding).await.unwrap().bytes.len(), LIMITS.body_bytes);
            let larger = compress(&vec![b' '; LIMITS.body_bytes + 1]);
            assert_eq!(expanded(&memory, larger, coding).await.unwrap_err().kind, Kind::BodyTooLarge);
        }
    }

    #[tokio::test]
    async fn a_bomb_takes_no_more_memory_than_the_largest_body() {
        for (coding, compress) in BOTH {
            // 64 MiB, in a body of well under 200 KiB.
            let bomb = compress(&vec![b' '; 64 << 20]);
            let bound = bomb.len() + LIMITS.body_bytes + 2 * PIECE;
            let metrics = Metrics::new();
            let limits = Limits { memory_bytes: 2 * LIMITS.body_bytes, ..LIMITS };
            let memory = Memory::new(limits, metrics.clone());
            let held = memory.read(Body::from(bomb)).await.unwrap();
            let mut most = 0;
            let mut expanding = pin!(memory.expand(held, coding));
            let problem = loop {
                match futures::poll!(expanding.as_mut()) {
                    Poll::Ready(result) => break result.unwrap_err(),
                    Poll::Pending => {
                        most = most.max(pieces(limits.memory_bytes) as usize - memory.pieces.available_permits());
                    }
                }
            };
            assert_eq!(problem.kind, Kind::BodyTooLarge);
            assert!(most > 0 && most * PIECE <= bound, "{most}");
            assert!(metrics.render().contains("posthaste_ingest_bodies_bytes 0\n"));
        }
    }

    #[tokio::test]
    async fn without_memory_for_what_comes_out_the_client_is_asked_to_come_back() {
        let memory = memory(LIMITS);
        let _held = memory.read(Body::from(vec![0; 190 * 1024])).await.unwrap();
        let body = testing::gzip(&vec![b' '; 100 * 1024]);
        assert_eq!(expanded(&memory, body, Coding::Gzip).await.unwrap_err().kind, Kind::Overloaded);
    }

    #[tokio::test]
    async fn bodies_are_expanded_one_after_the_other_within_a_time() {
        let memory = memory(Limits { memory_wait: Duration::ZERO, ..LIMITS });
        let turn = memory.expanding.acquire().await.unwrap();
        assert_eq!(expanded(&memory, testing::gzip(b"{}"), Coding::Gzip).await.unwrap_err().kind, Kind::Overloaded);
        drop(turn);
        assert_eq!(expanded(&memory, testing::gzip(b"{}"), Coding::Gzip).await.unwrap().bytes, "{}");
    }
}
