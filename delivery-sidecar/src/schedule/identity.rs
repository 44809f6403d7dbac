//! Which endpoint, as it was at a time, something is known of.

/// What was learned of an endpoint holds until one of these changes: whoever edits it means it to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its generation.
    pub generation: i64,
    /// Hash of its URL.
    pub url_fingerprint: u64,
}
