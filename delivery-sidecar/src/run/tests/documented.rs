//! `docs/delivery-semantics.md` names the tests that show what it says.

use std::{fs, path::Path};

/// Every source file below a directory, in one text.
fn sources(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/delivery-semantics.md")).unwrap();
    let mut text = String::new();
    for directory in ["delivery-sidecar/src", "delivery-sidecar/journal/src", "e2e/tests"] {
        sources(&root.join(directory), &mut text);
    }
    // Names of tests are sentences; nothing else that is quoted there has three underscores.
    let tests = page.split('`').skip(1).step_by(2).filter(|quoted| quoted.matches('_').count() > 2);
    let tests: Vec<&str> = tests.collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        assert!(text.contains(&format!("fn {test}(")), "there is no test {test}");
    }
}
