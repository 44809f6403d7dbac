//! Names of files.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What the names of files with rows begin with.
pub const ROWS: &str = "rows-";
/// What the names of files of the log begin with.
pub const LOG: &str = "log-";

/// The path of a file.
pub fn path(directory: &Path, kind: &str, id: u32) -> PathBuf {
    directory.join(format!("{kind}{id:010}"))
}

/// The files of a kind, in order.
pub fn all(directory: &Path, kind: &str) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(|name| name.strip_prefix(kind)?.parse().ok());
        found.extend(id.map(|id| (id, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}
