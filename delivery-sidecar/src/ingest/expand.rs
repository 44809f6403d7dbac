//! Expands compressed bodies: gzip (RFC 1952) and zstd (RFC 8878), piece by piece, so that whoever asks decides after
//! each piece whether to go on. Knows no limit on the expanded size itself; what a stream can make it hold is bounded.

use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::{self, DParameter, Operation};

/// How a body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Zstd,
}

/// Most gzip members or zstd frames of one body. Whoever compresses each event by itself and joins them is below it;
/// what is over it is made to cost time.
const PARTS: usize = 1024;
/// A zstd stream may look back 8 MiB, which is what RFC 9659 allows on the wire. More would be memory that a client
/// takes by asking for it.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bits of gzip's window, which is as large as its format knows.
const GZIP_WINDOW_BITS: u8 = 15;

/// The stream is not what its coding says, or asks for more than is given to any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// How far one call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes of the input that are done with.
    pub read: usize,
    /// Bytes of the output that were written.
    pub written: usize,
}

/// A stream that is being expanded. Holds 8.5 MiB at most.
pub(super) struct Expander {
    decoder: Decoder,
    /// Members or frames that have ended.
    parts: usize,
    /// The stream may end here.
    between_parts: bool,
}

enum Decoder {
    Gzip(Decompress),
    Zstd(raw::Decoder<'static>),
}

impl Expander {
    pub(super) fn new(coding: Coding) -> Result<Self, Broken> {
        let decoder = match coding {
            Coding::Gzip => Decoder::Gzip(Decompress::new_gzip(GZIP_WINDOW_BITS)),
            Coding::Zstd => {
                let mut decoder = raw::Decoder::new().map_err(|_| Broken)?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(|_| Broken)?;
                Decoder::Zstd(decoder)
            }
        };
        Ok(Self { decoder, parts: 0, between_parts: false })
    }

    /// Expands as much of `input` as `output` has room for. Output that is not full means that all that `input` holds is
    /// expanded, except after the end of a part.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Broken> {
        if self.between_parts && input.is_empty() {
            return Ok(Step { read: 0, written: 0 });
        }
        if self.between_parts && self.parts >= PARTS {
            return Err(Broken);
        }
        let (step, ended) = match &mut self.decoder {
            Decoder::Gzip(decoder) => {
                if self.between_parts {
                    *decoder = Decompress::new_gzip(GZIP_WINDOW_BITS);
                }
                gzip(decoder, input, output)?
            }
            Decoder::Zstd(decoder) => {
                let status = decoder.run_on_buffers(input, output).map_err(|_| Broken)?;
                (Step { read: status.bytes_read, written: status.bytes_written }, status.remaining == 0)
            }
        };
        self.between_parts = ended;
        self.parts += usize::from(ended);
        Ok(step)
    }

    /// Whether the stream may end here: what was begun is complete, checksums included.
    pub(super) fn is_complete(&self) -> bool {
        self.between_parts
    }
}

fn gzip(decoder: &mut Decompress, input: &[u8], output: &mut [u8]) -> Result<(Step, bool), Broken> {
    let (read, written) = (decoder.total_in(), decoder.total_out());
    let status = decoder.decompress(input, output, FlushDecompress::None).map_err(|_| Broken)?;
    let count = |total: u64, before: u64| usize::try_from(total - before).map_err(|_| Broken);
    let step = Step { read: count(decoder.total_in(), read)?, written: count(decoder.total_out(), written)? };
    Ok((step, status == flate2::Status::StreamEnd))
}

#[cfg(test)]
pub(super) mod testing {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::Coding;

    pub(in super::super) type Compress = fn(&[u8]) -> Vec<u8>;

    pub(in super::super) const BOTH: [(Coding, Compress); 2] = [(Coding::Gzip, gzip), (Coding::Zstd, zstd)];

    pub(in super::super) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(in super::super) fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{testing::BOTH, *};

    /// Expands with input and output in pieces of these sizes.
    fn expand(coding: Coding, stream: &[u8], input: usize, output: usize) -> Result<Vec<u8>, Broken> {
        let mut expander = Expander::new(coding)?;
        let (mut expanded, mut piece, mut at) = (Vec::new(), vec![0; output], 0);
        loop {
            let end = stream.len().min(at + input);
            let step = expander.step(&stream[at..end], &mut piece)?;
            expanded.extend_from_slice(&piece[..step.written]);
            at += step.read;
            if at == stream.len() && step.written < piece.len() {
                return if expander.is_complete() { Ok(expanded) } else { Err(Broken) };
            }
            if step == (Step { read: 0, written: 0 }) {
                return Err(Broken);
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back_however_it_is_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            input in 1_usize..400,
            output in 1_usize..400,
        ) {
            for (coding, compress) in BOTH {
                prop_assert_eq!(&expand(coding, &compress(&bytes), input, output).unwrap(), &bytes);
            }
        }

        #[test]
        fn any_bytes_expand_or_are_broken(stream in proptest::collection::vec(any::<u8>(), 0..600), begin in any::<bool>()) {
            for (coding, compress) in BOTH {
                let mut stream = stream.clone();
                if begin {
                    stream.splice(0..0, compress(b"abc").drain(..6));
                }
                let _ = expand(coding, &stream, 100, 100);
            }
        }
    }

    #[test]
    fn a_stream_of_several_parts_is_joined_up_to_a_bound() {
        for (coding, compress) in BOTH {
            let joined = |parts: usize| compress(b"{}\n").repeat(parts);
            assert_eq!(expand(coding, &joined(3), 7, 7).unwrap(), b"{}\n{}\n{}\n");
            assert_eq!(expand(coding, &joined(PARTS), 4096, 4096).unwrap().len(), 3 * PARTS);
            assert_eq!(expand(coding, &joined(PARTS + 1), 4096, 4096), Err(Broken));
        }
    }

    #[test]
    fn what_ends_early_goes_on_after_the_end_or_is_damaged_is_broken() {
        for (coding, compress) in BOTH {
            let good = compress(&[7; 1000]);
            for stream in [&good[..good.len() - 1], &good[..5], b"", b"{}", &[good.as_slice(), b"{"].concat()] {
                assert_eq!(expand(coding, stream, 4096, 4096), Err(Broken), "{coding:?} {stream:?}");
            }
        }
        let mut checksum = testing::gzip(b"abc");
        let at = checksum.len() - 8;
        checksum[at] ^= 1;
        assert_eq!(expand(Coding::Gzip, &checksum, 4096, 4096), Err(Broken));
    }

    #[test]
    fn a_zstd_stream_that_asks_for_a_larger_window_is_refused() {
        let compress = |window_log| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window_log).unwrap();
            std::io::Write::write_all(&mut encoder, b"{}").unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(expand(Coding::Zstd, &compress(ZSTD_WINDOW_LOG), 99, 99).unwrap(), b"{}");
        assert_eq!(expand(Coding::Zstd, &compress(ZSTD_WINDOW_LOG + 1), 99, 99), Err(Broken));
    }
}
