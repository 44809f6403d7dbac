//! The disk that the journal is on: what it is, and how fast it syncs.

use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::task::spawn_blocking;

use crate::{event::EVENT_BYTES, stats::Latencies};

const MOST_SYNCS: usize = 1_000;
const MOST_TIME: Duration = Duration::from_secs(5);

/// How long it takes to append one KiB to a file in this directory and sync it, by `fdatasync` as the journal does.
pub async fn sync_times(directory: &Path) -> anyhow::Result<Latencies> {
    let path = directory.join("sync-times");
    spawn_blocking(move || measure(&path)).await?
}

fn measure(path: &Path) -> anyhow::Result<Latencies> {
    let mut file = fs::File::create(path)?;
    let (begin, mut times) = (Instant::now(), Vec::with_capacity(MOST_SYNCS));
    while times.len() < MOST_SYNCS && begin.elapsed() < MOST_TIME {
        let start = Instant::now();
        file.write_all(&[b'x'; EVENT_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    fs::remove_file(path)?;
    Ok(Latencies::new(times))
}

/// The type of the file system that a directory is on.
///
/// # Errors
/// When it is in memory, where a sync costs nothing.
pub fn file_system(directory: &Path) -> anyhow::Result<String> {
    let directory = directory.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read /proc/self/mountinfo")?;
    let kind = kind_of(&mounts, &directory).context("the directory's file system is not known")?;
    ensure!(
        !["tmpfs", "ramfs"].contains(&kind),
        "{} is in memory ({kind}): name another --directory",
        directory.display()
    );
    Ok(kind.to_owned())
}

fn kind_of<'a>(mounts: &'a str, directory: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        Some((Path::new(place.split(' ').nth(4)?), kind.split(' ').next()?))
    });
    let above = mounts.filter(|(place, _)| directory.starts_with(place));
    above.max_by_key(|(place, _)| place.components().count()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_above_a_directory_decides() {
        let mounts = "22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:25 / /tmp rw shared:1 - tmpfs tmpfs rw\n";
        assert_eq!(kind_of(mounts, Path::new("/srv/x")), Some("ext4"));
        assert_eq!(kind_of(mounts, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(kind_of(mounts, Path::new("/tmpx")), Some("ext4"));
    }
}
