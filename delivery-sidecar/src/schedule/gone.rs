//! What is remembered of an endpoint that answered 410, and its form in the journal.

use bytes::Bytes;

const FORMAT: u8 = 1;
const LENGTH: usize = 17;

/// The endpoint that answered 410. It stays gone until one of these changes: whoever edits it means it to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its generation.
    pub generation: i64,
    /// Hash of its URL.
    pub url_fingerprint: u64,
}

impl Gone {
    /// As the journal's memo of the endpoint.
    pub fn to_memo(self) -> Bytes {
        let mut memo = [FORMAT; LENGTH];
        memo[1..9].copy_from_slice(&self.generation.to_le_bytes());
        memo[9..].copy_from_slice(&self.url_fingerprint.to_le_bytes());
        Bytes::copy_from_slice(&memo)
    }

    /// From a memo. `None` when it says nothing, or something that this build does not know: the endpoint is then
    /// tried, and answers 410 again if it is still gone.
    pub fn from_memo(memo: &[u8]) -> Option<Self> {
        let memo: &[u8; LENGTH] = memo.try_into().ok()?;
        let (format, rest) = memo.split_first()?;
        let (generation, url_fingerprint) = rest.split_first_chunk::<8>()?;
        (*format == FORMAT).then_some(Self {
            generation: i64::from_le_bytes(*generation),
            url_fingerprint: u64::from_le_bytes(url_fingerprint.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_as_written() {
        let gone = Gone { generation: -7, url_fingerprint: u64::MAX - 1 };
        assert_eq!(Gone::from_memo(&gone.to_memo()), Some(gone));
    }

    #[test]
    fn what_is_empty_or_unknown_is_not_gone() {
        assert_eq!(Gone::from_memo(b""), None);
        assert_eq!(Gone::from_memo(&[9; 17]), None);
        assert_eq!(Gone::from_memo(&[1; 16]), None);
    }
}
