//! What one evaluation may take.

/// Most items of a list or map that a macro goes over, and that a list has after `+`, `split` and the like.
pub const MAX_ITEMS: usize = 1_000;

/// Steps and bytes that are left. A step is a few nanoseconds: a node of the expression, an item that is looked at, 64 bytes
/// of text that are compared.
#[derive(Clone, Debug)]
pub struct Budget {
    steps: u32,
    bytes: usize,
}

/// There is not as much left as is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Steps,
    Bytes,
}

impl Budget {
    /// For an expression that decides something: about a millisecond.
    pub fn decision() -> Self {
        Self { steps: 50_000, bytes: 1 << 20 }
    }

    /// For all expressions of one body together.
    pub fn rendering() -> Self {
        Self { steps: 500_000, bytes: 4 << 20 }
    }

    /// Takes steps.
    pub(crate) fn steps(&mut self, steps: usize) -> Result<(), Exhausted> {
        let steps = u32::try_from(steps).map_err(|_| Exhausted::Steps)?;
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted::Steps)?;
        Ok(())
    }

    /// Takes steps for looking at so much text.
    pub(crate) fn text(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.steps(bytes / 64)
    }

    /// Takes memory for a new text or list.
    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Exhausted::Bytes)?;
        self.text(bytes)
    }
}
