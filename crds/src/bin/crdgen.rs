//! Writes the CustomResourceDefinitions to a folder: `crdgen DIR`, or with `--check` says whether they differ.
fn main() {}
