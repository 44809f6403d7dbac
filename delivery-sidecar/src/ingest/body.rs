//! Reads a request's body into memory, within bounds on its size, on the time that it takes and on the memory of all
//! requests together.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    limits::{Limits, RETRY_OVERLOADED},
    problem::{Kind, Problem},
};
use crate::telemetry::{InFlight, Metrics};

/// Memory is given out in pieces of so many bytes.
const PIECE: usize = 1024;
/// What a body of unknown length gets at first.
const FIRST: usize = 64 * 1024;

/// The memory for bodies.
#[derive(Debug)]
pub(super) struct Memory {
    limits: Limits,
    pieces: Arc<Semaphore>,
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
        Self { limits, pieces: Arc::new(Semaphore::new(pieces(bytes) as usize)), metrics }
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
            let needed = bytes.len() + data.len();
            if needed > self.limits.body_bytes {
                return Err(self.too_large());
            }
            if needed > room {
                let more = needed.max(room * 2).min(self.limits.body_bytes) - room;
                self.grow(reserved, more)?;
                room += more;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
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
        let permit = self.pieces.clone().try_acquire_many_owned(pieces(more)).map_err(|_| overloaded())?;
        reserved.permit.merge(permit);
        reserved.counted.merge(self.count(more));
        Ok(())
    }

    fn count(&self, bytes: usize) -> InFlight {
        self.metrics.body_reserved(bytes.next_multiple_of(PIECE))
    }

    fn too_large(&self) -> Problem {
        Problem::new(
            Kind::BodyTooLarge,
            format!(
                "The request's body is larger than {} bytes, which is the most that is taken.",
                self.limits.body_bytes
            ),
        )
    }
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
    use std::{convert::Infallible, time::Duration};

    use futures::{Stream, StreamExt, stream};

    use super::*;

    const LIMITS: Limits = Limits {
        body_bytes: 200 * 1024,
        memory_bytes: 256 * 1024,
        events: 1,
        requests: 1,
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
}
