//! Numbers and byte strings: LEB128 for what is mostly small, little endian for what is not.

use crate::{Ordinal, Seq};

/// Content that is not of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    put_u64(out, value.into());
}

/// Times: before the epoch only by mistake, so the sign goes to the lowest bit.
pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

pub(crate) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_u64(out, length as u64);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Ordinals in ascending order, as differences.
pub(crate) fn put_ordinals(out: &mut Vec<u8>, ordinals: &[Ordinal]) {
    put_length(out, ordinals.len());
    let mut before = 0;
    for ordinal in ordinals {
        put_u32(out, ordinal.0 - before);
        before = ordinal.0;
    }
}

/// What is left to be read.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is too long"))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        u16::try_from(self.u32()?).map_err(|_| Malformed("a number is too large"))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.u64()?).map_err(|_| Malformed("a number is too large"))
    }

    /// The number of an event. One more must still be a number.
    pub(crate) fn seq(&mut self) -> Result<Seq, Malformed> {
        self.u64()
            .and_then(|seq| if seq < Seq::MAX { Ok(seq) } else { Err(Malformed("an event's number is too large")) })
    }

    /// The number of an endpoint. One more must still be a number.
    pub(crate) fn ordinal(&mut self) -> Result<Ordinal, Malformed> {
        self.u32().and_then(ordinal)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        let value = self.u64()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A count of things that take at least one byte each, so that a wrong one cannot ask for more memory than there is
    /// input.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        match usize::try_from(self.u64()?) {
            Ok(count) if count <= self.0.len() => Ok(count),
            _ => Err(Malformed("a count is larger than what follows")),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(crate) fn ordinals(&mut self) -> Result<Vec<Ordinal>, Malformed> {
        let count = self.count()?;
        let mut before = None;
        (0..count).map(|_| self.next_ordinal(&mut before)).collect()
    }

    /// An ordinal as its difference to the one before, which it is more than.
    pub(crate) fn next_ordinal(&mut self, before: &mut Option<Ordinal>) -> Result<Ordinal, Malformed> {
        let difference = self.u32()?;
        let next = match *before {
            Some(_) if difference == 0 => return Err(Malformed("an ordinal is there twice")),
            Some(Ordinal(before)) => ordinal(before.saturating_add(difference))?,
            None => ordinal(difference)?,
        };
        *before = Some(next);
        Ok(next)
    }
}

fn ordinal(number: u32) -> Result<Ordinal, Malformed> {
    if number < u32::MAX { Ok(Ordinal(number)) } else { Err(Malformed("an ordinal is too large")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned: u64, signed: i64) {
            let mut out = Vec::new();
            put_u64(&mut out, unsigned);
            put_i64(&mut out, signed);
            let mut input = Input(&out);
            prop_assert_eq!(input.u64(), Ok(unsigned));
            prop_assert_eq!(input.i64(), Ok(signed));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_input_is_read_without_panic(bytes: Vec<u8>) {
            let _ = Input(&bytes).ordinals();
            let _ = Input(&bytes).text();
        }
    }
}
