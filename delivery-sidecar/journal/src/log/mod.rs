//! Segment files: reading, appending, beginning and finishing them. Knows commits, not what their records mean.

mod active;
mod reader;
mod tail;
mod window;

use std::path::{Path, PathBuf};

pub(crate) use active::{Active, NewSegment};
pub(crate) use reader::{Group, ReadError, SegmentReader};
pub(crate) use tail::{later_commit, whole_records};

const SUFFIX: &str = "seg";

/// Where a segment is made before it gets its name.
pub(crate) fn temporary(directory: &Path) -> PathBuf {
    directory.join("next.tmp")
}

/// The path of a segment whose first commit has this number.
pub(crate) fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{SUFFIX}"))
}

/// The number of a segment's first commit, if this is the path of a segment.
pub(crate) fn first_of(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let is_segment = path.extension()? == SUFFIX && stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    is_segment.then(|| stem.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_segments_are_segments() {
        assert_eq!(first_of(&path(Path::new("/j"), 77)), Some(77));
        for other in
            ["lock", "next.tmp", "77.seg", "0000000000000000007x.seg", "lost+found", "00000000000000000077.bak"]
        {
            assert_eq!(first_of(&Path::new("/j").join(other)), None, "{other}");
        }
    }
}
