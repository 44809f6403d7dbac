//! Every target with its corpus, and with mutations of it from a seed that is printed.
//!
//! `POSTHASTE_SEED` repeats a run, `POSTHASTE_FUZZ_SECONDS` makes it longer.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use posthaste_fuzz::{TARGETS, Target, mutate::mutate};
use rand::{SeedableRng, rngs::StdRng};

/// Time for the mutations of one target.
const SECONDS: u64 = 3;

#[test]
fn no_input_of_the_corpus_or_near_it_breaks_a_target() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = number("POSTHASTE_SEED").unwrap_or_else(rand::random);
    let time = Duration::from_secs(number("POSTHASTE_FUZZ_SECONDS").unwrap_or(SECONDS));
    println!("POSTHASTE_SEED={seed}");
    for target in TARGETS {
        let corpus = corpus(target.0);
        assert!(!corpus.is_empty(), "{} has no corpus", target.0);
        for (path, input) in &corpus {
            run(target, input, &path.display().to_string());
        }
        let inputs: Vec<_> = corpus.into_iter().map(|(_, input)| input).collect();
        let (mut random, begin, mut tried) = (StdRng::seed_from_u64(seed), Instant::now(), 0_u64);
        while begin.elapsed() < time {
            run(target, &mutate(&inputs, &mut random), &format!("mutation {tried} of seed {seed}"));
            tried += 1;
        }
        println!("{}: {} inputs of the corpus, {tried} mutations", target.0, inputs.len());
    }
}

/// Runs a target. An input that breaks it is kept for `fuzz/run` and for the corpus.
fn run((name, target): Target, input: &[u8], origin: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-broken"));
        fs::write(&kept, input).unwrap();
        eprintln!("{name} is broken by {origin}; the input is in {}", kept.display());
        resume_unwind(panic);
    }
}

/// In the order of their names, so that a seed means the same everywhere.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
