//! Good and bad manifests against the real API server: the same files that are checked offline.

use std::{fs, path::Path};

use posthaste_e2e::cluster::{Chart, in_namespace};

fn manifests(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/tests/manifests").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the manifests are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            (
                path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                fs::read_to_string(&path).expect("it can be read"),
            )
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn every_good_manifest_is_taken() {
    Chart::ensure().await;
    in_namespace("good", async |namespace| {
        let files = manifests("good");
        assert!(files.len() >= 10, "{}", files.len());
        for (file, manifest) in files {
            for document in manifest.split("\n---") {
                let output = namespace.kubectl_with(&["apply", "--dry-run=server", "-f", "-"], document).await;
                assert!(output.success, "{file}: {}", output.stderr);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_bad_manifest_is_refused_with_a_message_that_names_the_field() {
    Chart::ensure().await;
    in_namespace("bad", async |namespace| {
        let files = manifests("bad");
        assert!(files.len() >= 30, "{}", files.len());
        let mut wrong = Vec::new();
        for (file, manifest) in files {
            let refused = manifest.lines().next().and_then(|line| line.strip_prefix("# refused: "));
            let refused = refused.unwrap_or_else(|| panic!("{file} does not begin with `# refused: `"));
            // A file of two documents is an update: the first is taken, the second refused.
            let mut documents: Vec<_> = manifest.split("\n---\n").collect();
            let last = documents.pop().expect("there is a document");
            for document in documents {
                namespace.apply(document).await;
            }
            let output = namespace.kubectl_with(&["apply", "-f", "-"], last).await;
            namespace.kubectl_with(&["delete", "--ignore-not-found", "-f", "-"], last).await;
            let (field, message) = refused.split_once(": ").unwrap_or(("", refused));
            if output.success || !output.stderr.contains(message) || !output.stderr.contains(field) {
                wrong.push(format!("{file}: expected {refused:?}, got {}{}", output.stdout, output.stderr));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}
