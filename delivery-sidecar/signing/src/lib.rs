//! Signing schemes. No I/O, no clock.

use zeroize::ZeroizeOnDrop;

/// A symmetric key. `Debug` hides it; its memory is cleared when it is dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct SymmetricKey(Vec<u8>);

impl std::fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
