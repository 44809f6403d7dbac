//! What is remembered of an endpoint that answered 410.

/// The endpoint that answered 410. It stays gone until one of these changes: whoever edits it means it to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its generation.
    pub generation: i64,
    /// Hash of its URL.
    pub url_fingerprint: u64,
}
