//! Locks that are held for a few lookups and never over an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. What is protected here is consistent after every statement, so a panic elsewhere does not make it unusable.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
