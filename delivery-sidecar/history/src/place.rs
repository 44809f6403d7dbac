//! Where a record is.

/// A file of the log and an offset in it. The first file has number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub(crate) file: u32,
    pub(crate) offset: u32,
}

impl Place {
    /// Nowhere.
    pub(crate) const NONE: Self = Self { file: 0, offset: 0 };
    /// Bytes that it takes.
    pub(crate) const BYTES: usize = 8;

    pub(crate) fn is_none(self) -> bool {
        self.file == 0
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.file.to_le_bytes());
        bytes[4..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let both = u64::from_le_bytes(bytes);
        let half = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0);
        Self { file: half(both), offset: half(both >> 32) }
    }
}
