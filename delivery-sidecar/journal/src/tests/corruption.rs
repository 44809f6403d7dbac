//! What is on the disk is not what was written: each kind of it, and what becomes of it.

use std::path::PathBuf;

use super::support::{
    DIRECTORY, Found, NOW, accept, assign, clean, commit, event, in_directory, newest, open_store, options, payload,
    record, segments, store, succeeded,
};
use crate::format::frame::{Frame, HEADER};
use crate::format::header;
use crate::format::record::Record;
use crate::format::seal::FOOTER;
use crate::store::Store;
use crate::testing::{Crash, FakeDisk};
use crate::{Error, Ordinal, Seq};

/// Opens what the disk has now, as a new process.
fn reopen(disk: &FakeDisk) -> Result<(Store, Found), Error> {
    disk.crash(Crash::Kill);
    disk.restart();
    open_store(disk, options())
}

fn pending(recovered: &Found) -> Vec<Seq> {
    recovered.pending.iter().map(|pending| pending.seq).collect()
}

/// One segment with three commits of one event each. Gives where each commit begins, and where the last one ends.
fn three_events(disk: &FakeDisk) -> (PathBuf, Vec<usize>) {
    let mut store = store(disk);
    let endpoint = assign(&mut store, "a");
    let mut starts = vec![newest(disk).1.len()];
    for _ in 0..3 {
        accept(&mut store, event(30, &[endpoint]));
        starts.push(newest(disk).1.len());
    }
    (newest(disk).0, starts)
}

/// Several segments full of large events, of which all but the newest have an index. Gives the number of events.
fn sealed_segments(disk: &FakeDisk) -> Seq {
    let mut store = store(disk);
    let endpoint = assign(&mut store, "a");
    let mut last = 0;
    while segments(disk).len() < 4 {
        last = accept(&mut store, event(600, &[endpoint]));
    }
    last
}

#[test]
fn an_end_that_is_cut_anywhere_in_the_last_commit_is_a_torn_commit() {
    let disk = FakeDisk::new(1);
    let (path, starts) = three_events(&disk);
    let whole = newest(&disk).1;
    for length in starts[2]..starts[3] {
        disk.set_file(&path, whole[..length].to_vec());
        let (_, recovered) = reopen(&disk).expect("a torn end is no damage");
        assert_eq!(pending(&recovered), [1, 2]);
        let bytes = (length - starts[2]) as u64;
        assert_eq!(recovered.cut.map(|cut| cut.bytes), (bytes > 0).then_some(bytes));
        assert_eq!(newest(&disk).1, whole[..starts[2]], "the end is cut off");
    }
}

#[test]
fn whole_records_of_a_torn_commit_are_counted() {
    let disk = FakeDisk::new(1);
    let (path, starts) = three_events(&disk);
    let mut content = newest(&disk).1;
    content[starts[3] - 1] ^= 1;
    disk.set_file(&path, content);
    let (_, recovered) = reopen(&disk).unwrap();
    let cut = recovered.cut.unwrap();
    assert_eq!((cut.file, cut.bytes, cut.records), (path, (starts[3] - starts[2]) as u64, 1));
}

#[test]
fn a_torn_end_is_written_over() {
    let disk = FakeDisk::new(1);
    let (path, starts) = three_events(&disk);
    disk.set_file(&path, newest(&disk).1[..starts[3] - 5].to_vec());
    let (mut store, _) = reopen(&disk).unwrap();
    assert_eq!(accept(&mut store, event(31, &[Ordinal(0)])), 3);
    drop(store);
    let (store, recovered) = reopen(&disk).unwrap();
    assert_eq!((pending(&recovered), recovered.cut), (vec![1, 2, 3], None));
    assert_eq!(crate::journal::read(store.state(), 3).unwrap().unwrap().payload, payload(31, 1));
}

#[test]
fn a_tail_of_zeros_or_noise_is_a_torn_commit() {
    for tail in [vec![0; 9000], payload(9000, 7).to_vec(), b"PHCM".repeat(2000)] {
        let disk = FakeDisk::new(1);
        let (path, _) = three_events(&disk);
        let whole = newest(&disk).1;
        let tail_length = tail.len() as u64;
        disk.set_file(&path, [whole.clone(), tail].concat());
        let (_, recovered) = reopen(&disk).unwrap();
        assert_eq!(pending(&recovered), [1, 2, 3]);
        assert_eq!(recovered.cut.map(|cut| cut.bytes), Some(tail_length));
        assert_eq!(newest(&disk).1, whole);
    }
}

#[test]
fn a_changed_byte_before_the_last_commit_stops_the_opening() {
    let disk = FakeDisk::new(1);
    let (path, starts) = three_events(&disk);
    let whole = newest(&disk).1;
    for at in 0..starts[2] {
        let mut content = whole.clone();
        content[at] ^= 0x20;
        disk.set_file(&path, content.clone());
        match reopen(&disk).err() {
            Some(Error::Damaged { file, offset, what }) => {
                assert_eq!(file, path);
                assert!(offset <= at as u64, "byte {at}: {offset} {what}");
            }
            Some(Error::Version { supported: 3, .. }) if (8..12).contains(&at) => {}
            other => panic!("byte {at}: {other:?}"),
        }
        assert_eq!(newest(&disk).1, content, "nothing is touched");
    }
}

#[test]
fn a_changed_byte_in_the_last_commit_cannot_be_told_from_a_torn_one() {
    let disk = FakeDisk::new(1);
    let (path, starts) = three_events(&disk);
    let whole = newest(&disk).1;
    for at in starts[2]..starts[3] {
        let mut content = whole.clone();
        content[at] ^= 0x20;
        disk.set_file(&path, content);
        let (_, recovered) = reopen(&disk).unwrap();
        assert_eq!(pending(&recovered), [1, 2], "byte {at}");
        assert!(recovered.cut.is_some());
    }
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let disk = FakeDisk::new(1);
    let (path, _) = three_events(&disk);
    let mut content = newest(&disk).1;
    content[8..12].copy_from_slice(&7_u32.to_le_bytes());
    disk.set_file(&path, content);
    let error = reopen(&disk).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{}: format version 7 is not supported by this build (it knows 3)", path.display()),
    );
}

#[test]
fn a_segment_of_the_version_before_is_read_and_nothing_is_appended_to_it() {
    let disk = FakeDisk::new(1);
    let (path, _) = three_events(&disk);
    let mut content = newest(&disk).1;
    let before: [u8; header::LENGTH] = content[..header::LENGTH].try_into().unwrap();
    let before = header::Header { version: 2, ..header::Header::decode(&before).unwrap() };
    content[..header::LENGTH].copy_from_slice(&before.encode());
    disk.set_file(&path, content.clone());
    let (mut store, recovered) = reopen(&disk).unwrap();
    assert_eq!(pending(&recovered), [1, 2, 3]);
    accept(&mut store, event(10, &[Ordinal(0)]));
    let (newest_path, newest) = newest(&disk);
    assert_ne!(newest_path, path);
    assert_eq!(newest[8..12], 3_u32.to_le_bytes());
    assert!(disk.files()[&path].starts_with(&content));
    drop(store);
    assert_eq!(pending(&reopen(&disk).unwrap().1), [1, 2, 3, 4]);
}

#[test]
fn files_that_are_empty_short_or_something_else_are_refused() {
    for content in [vec![], vec![1; header::LENGTH - 1], b"#!/bin/sh\n".repeat(20), vec![0; 5000]] {
        let disk = FakeDisk::new(1);
        let (path, _) = three_events(&disk);
        disk.set_file(&path, content);
        assert!(matches!(reopen(&disk).err(), Some(Error::Damaged { offset: 0, .. })));
    }
}

#[test]
fn a_segment_without_a_snapshot_is_refused() {
    let disk = FakeDisk::new(1);
    let (path, _) = three_events(&disk);
    let content = newest(&disk).1[..header::LENGTH].to_vec();
    disk.set_file(&path, content);
    assert!(matches!(reopen(&disk).err(), Some(Error::Damaged { .. })));
}

#[test]
fn other_files_are_left_alone() {
    let disk = FakeDisk::new(1);
    three_events(&disk);
    for other in ["next.tmp", "lost+found", "notes.txt", "1.seg"] {
        disk.set_file(&in_directory(other), vec![1; 50]);
    }
    let (_, recovered) = reopen(&disk).unwrap();
    assert_eq!(pending(&recovered), [1, 2, 3]);
    assert_eq!(disk.files()[&in_directory("notes.txt")], vec![1; 50]);
}

#[test]
fn a_segment_that_is_missing_cut_or_renamed_is_noticed() {
    let disk = FakeDisk::new(1);
    sealed_segments(&disk);
    let all = segments(&disk);
    let (middle, content) = all[1].clone();
    let is_refused = |disk: &FakeDisk| matches!(reopen(disk).err(), Some(Error::Damaged { .. }));

    disk.remove_file(&middle);
    assert!(is_refused(&disk), "missing");
    disk.set_file(&in_directory("00000000000000000999.seg"), content.clone());
    assert!(is_refused(&disk), "renamed");
    disk.remove_file(&in_directory("00000000000000000999.seg"));
    for length in (0..content.len() - FOOTER).step_by(7) {
        disk.set_file(&middle, content[..length].to_vec());
        assert!(is_refused(&disk), "cut to {length}");
    }
    disk.set_file(&middle, content);
    assert!(reopen(&disk).is_ok());
}

#[test]
fn in_a_segment_with_an_index_damage_is_found_where_it_is_read() {
    let disk = FakeDisk::new(1);
    let last = sealed_segments(&disk);
    let (path, content) = segments(&disk)[1].clone();
    let snapshot_end = {
        let (store, _) = reopen(&disk).unwrap();
        let state = store.look();
        usize::try_from(state.segments.get(1).unwrap().overhead).unwrap()
    };
    let index = u64::from_le_bytes(content[content.len() - FOOTER + 4..][..8].try_into().unwrap());
    let index = usize::try_from(index).unwrap();
    // The overhead counts the index too.
    let snapshot_end = snapshot_end - (content.len() - index);
    for at in (snapshot_end..content.len()).step_by(3) {
        let mut changed = content.clone();
        changed[at] ^= 0x40;
        disk.set_file(&path, changed);
        let (store, recovered) = reopen(&disk).expect("the index or the records are intact");
        assert_eq!(pending(&recovered), (1..=last).collect::<Vec<_>>());
        let damaged: Vec<Seq> = (1..=last)
            .filter(|seq| match crate::journal::read(store.state(), *seq) {
                Ok(Some(stored)) => {
                    assert_eq!(stored.payload, payload(600, 1));
                    false
                }
                Err(Error::Damaged { file, .. }) => {
                    assert_eq!(file, path);
                    true
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(damaged.len() <= 1);
        assert!(at < index || damaged.is_empty(), "damage of the index damages no event");
    }
    let mut changed = content;
    changed[snapshot_end - 1] ^= 0x40;
    disk.set_file(&path, changed);
    assert!(matches!(reopen(&disk).err(), Some(Error::Damaged { .. })), "a snapshot is always read");
}

#[test]
fn an_event_that_cleaning_finds_damaged_is_given_up_alone() {
    let disk = FakeDisk::new(1);
    let last = sealed_segments(&disk);
    let (path, content) = segments(&disk)[0].clone();
    let (store, _) = reopen(&disk).unwrap();
    let at = store.look().events.get(2).unwrap().offset as usize + 100;
    drop(store);
    let mut changed = content;
    changed[at] ^= 1;
    disk.set_file(&path, changed);

    let (mut store, _) = reopen(&disk).unwrap();
    // Enough becomes garbage that the oldest segment is cleaned.
    for seq in 4..=last {
        record(&mut store, &succeeded(seq, Ordinal(0)));
    }
    clean(&mut store);
    assert!(!disk.files().contains_key(&path));
    drop(store);
    let (store, recovered) = reopen(&disk).unwrap();
    assert_eq!(pending(&recovered), [1, 2, 3]);
    let read = |seq| crate::journal::read(store.state(), seq);
    assert!(matches!(read(2), Err(Error::Damaged { .. })));
    assert_eq!(read(1).unwrap().unwrap().payload, payload(600, 1));
}

#[test]
fn content_that_imitates_a_commit_is_not_taken_for_one() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    let before = newest(&disk).1.len();
    // A commit as anyone can make it who does not know the salt.
    let mut forged = Frame::new();
    forged.push(&Record::Dropped { ordinal: Ordinal(0) });
    let (forged, _) = forged.finish(50, 0);
    let event = crate::NewEvent { payload: forged.repeat(20).into(), ..event(0, &[endpoint]) };
    accept(&mut store, event);
    drop(store);
    let (path, mut content) = newest(&disk);
    content[before + HEADER] ^= 1;
    disk.set_file(&path, content);
    let (_, recovered) = reopen(&disk).expect("it is a torn commit");
    assert!(recovered.pending.is_empty());
    assert!(recovered.cut.is_some());
}

#[test]
fn a_name_that_lies_about_the_first_commit_is_refused() {
    let disk = FakeDisk::new(1);
    let (path, _) = three_events(&disk);
    let content = newest(&disk).1;
    disk.remove_file(&path);
    disk.set_file(&in_directory("00000000000000000002.seg"), content);
    let error = reopen(&disk).err().unwrap();
    assert!(error.to_string().contains("its name is not that of its first commit"), "{error}");
    assert!(error.to_string().starts_with(DIRECTORY));
}

#[test]
fn an_endpoint_and_its_counts_outlive_the_segments_that_tell_of_it() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    commit(&mut store, |batch, state| batch.remember(state, endpoint, "memo".into())).unwrap();
    for _ in 0..60 {
        let seq = accept(&mut store, event(600, &[endpoint]));
        record(&mut store, &succeeded(seq, endpoint));
        clean(&mut store);
    }
    drop(store);
    assert!(segments(&disk).len() < 6, "old segments are gone");
    let (_, recovered) = reopen(&disk).unwrap();
    let [found] = &recovered.endpoints[..] else { panic!("{recovered:?}") };
    assert_eq!((found.ordinal, found.uid.as_str(), &found.memo[..]), (endpoint, "a", &b"memo"[..]));
    assert_eq!((found.stats.delivered, found.stats.last_success_ms), (60, Some(NOW + 1)));
}
