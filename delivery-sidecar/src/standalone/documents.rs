//! Reads manifests from files. Knows YAML and what every Kubernetes object has; nothing of what it means.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

/// The namespace of a manifest that names none, as with `kubectl`.
pub const DEFAULT_NAMESPACE: &str = "default";
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// One manifest.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it was found.
    pub place: Place,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`, or the default one.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// All of it, `metadata.namespace` filled in.
    pub value: Value,
}

/// Where a manifest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Number of the document in the file, from 1.
    pub number: usize,
    /// Kind and name, as far as they are known.
    pub object: Option<String>,
}

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what would be right. Begins with the field, if it is about one.
    pub message: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.number > 0 {
            write!(f, ", document {}", self.number)?;
        }
        match &self.object {
            Some(object) => write!(f, " ({object})"),
            None => Ok(()),
        }
    }
}

impl Document {
    /// A problem of this document.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { place: self.place.clone(), message: message.into() }
    }
}

/// Reads all documents of files, and of the files with a known extension directly in directories. Reads on after a
/// problem, so that all are told at once.
pub fn read(paths: &[PathBuf]) -> (Vec<Document>, Vec<Problem>) {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match files(path) {
            Ok(files) if files.is_empty() => {
                problems.push(file_problem(path, "has no .yaml, .yml or .json files directly in it"));
            }
            Ok(files) => files.iter().for_each(|file| read_file(file, &mut documents, &mut problems)),
            Err(error) => problems.push(file_problem(path, &error.to_string())),
        }
    }
    (documents, problems)
}

fn file_problem(file: &Path, message: &str) -> Problem {
    let place = Place { file: file.to_owned(), number: 0, object: None };
    Problem { place, message: message.to_owned() }
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let known = file.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
        if known && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(file: &Path, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return problems.push(file_problem(file, &error.to_string())),
    };
    for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
        let place = Place { file: file.to_owned(), number: index + 1, object: None };
        let value = match Value::deserialize(document) {
            Ok(value) => value,
            // What follows a syntax error cannot be told apart any more.
            Err(error) => return problems.push(Problem { place, message: format!("is not YAML: {error}") }),
        };
        if value.is_null() {
            continue;
        }
        match parse(place, value) {
            Ok(document) => documents.push(document),
            Err(problem) => problems.push(problem),
        }
    }
}

fn parse(mut place: Place, mut value: Value) -> Result<Document, Problem> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    let namespace = text("/metadata/namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    if let (Some(kind), Some(name)) = (&kind, &name) {
        place.object = Some(format!("{kind} {name:?}"));
    }
    match (api_version, kind, name) {
        (Some(api_version), Some(kind), Some(name)) => {
            value["metadata"]["namespace"] = Value::String(namespace.clone());
            Ok(Document { place, api_version, kind, namespace, name, value })
        }
        (api_version, kind, _) => {
            let missing = if api_version.is_none() {
                "apiVersion"
            } else if kind.is_none() {
                "kind"
            } else {
                "metadata.name"
            };
            Err(Problem { place, message: format!("{missing}: is missing or no text; every manifest has one") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_documents_of_all_files_of_a_directory_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("b.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: n}\n");
        write(
            "a.yaml",
            "---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\n# nothing\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n",
        );
        write("notes.txt", "no manifest");
        let (documents, problems) = read(&[directory.path().to_owned()]);
        assert!(problems.is_empty(), "{problems:?}");
        let found: Vec<_> =
            documents.iter().map(|d| (d.kind.as_str(), d.namespace.as_str(), d.name.as_str())).collect();
        assert_eq!(found, [("Secret", "default", "a"), ("ConfigMap", "default", "b"), ("Secret", "n", "c")]);
        assert_eq!(documents[1].value["metadata"]["namespace"], "default");
    }

    #[test]
    fn problems_name_file_document_and_field() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.yaml");
        fs::write(&file, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\n")
            .unwrap();
        let (documents, problems) = read(std::slice::from_ref(&file));
        assert_eq!(documents.len(), 1);
        assert_eq!(
            problems[0].to_string(),
            format!("{}, document 2: metadata.name: is missing or no text; every manifest has one", file.display())
        );
        fs::write(&file, "a: [").unwrap();
        assert!(read(std::slice::from_ref(&file)).1[0].to_string().contains("is not YAML"));
        let missing = directory.path().join("missing.yaml");
        assert!(read(&[missing]).1[0].to_string().contains("missing.yaml"));
    }
}
