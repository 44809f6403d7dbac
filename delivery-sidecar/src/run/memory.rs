//! Room in memory for the events of attempts: bounded in bytes, because how many events are in flight says nothing of
//! their sizes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Bytes for the events of all attempts. Clones share it. Who has to wait is served in order, and holds no room
/// meanwhile, so that nobody can wait for ever.
#[derive(Clone, Debug)]
pub struct Memory {
    free: Arc<Semaphore>,
    bytes: u32,
}

/// Room that is free again when this is dropped.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "held for its Drop")] Option<OwnedSemaphorePermit>);

impl Memory {
    /// Room for that many bytes.
    pub fn new(bytes: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes as usize)), bytes }
    }

    /// Room for `bytes` if it is free now.
    pub fn room_now(&self, bytes: usize) -> Option<Room> {
        match Arc::clone(&self.free).try_acquire_many_owned(self.share(bytes)) {
            Ok(permit) => Some(Room(Some(permit))),
            Err(TryAcquireError::NoPermits) => None,
            Err(TryAcquireError::Closed) => Some(Room(None)),
        }
    }

    /// Waits for room for `bytes`. More than there is at all takes all of it, and so passes alone.
    pub async fn room(&self, bytes: usize) -> Room {
        // The semaphore is never closed.
        Room(Arc::clone(&self.free).acquire_many_owned(self.share(bytes)).await.ok())
    }

    fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).map_or(self.bytes, |bytes| bytes.min(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_finds_no_room_waits_until_there_is() {
        let memory = Memory::new(10);
        let first = memory.room_now(6).unwrap();
        assert!(memory.room_now(5).is_none());
        let mut waiting = std::pin::pin!(memory.room(5));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        let _second = waiting.await;
        assert!(memory.room_now(6).is_none());
    }

    #[tokio::test]
    async fn more_than_there_is_passes_alone() {
        let memory = Memory::new(10);
        let small = memory.room(1).await;
        assert!(memory.room_now(usize::MAX).is_none());
        drop(small);
        let large = memory.room(usize::MAX).await;
        assert!(memory.room_now(1).is_none());
        drop(large);
        assert!(memory.room_now(10).is_some());
    }
}
