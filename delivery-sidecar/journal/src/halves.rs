//! The halves of a number.

/// The low half.
pub(crate) fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).expect("the high half is cut off")
}

/// The high half.
pub(crate) fn high(value: u64) -> u32 {
    low(value >> 32)
}

/// Both halves, the low one first.
pub(crate) fn of(value: u128) -> [u64; 2] {
    [value, value >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).expect("the high half is cut off"))
}
