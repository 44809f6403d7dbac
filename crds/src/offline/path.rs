//! Names of fields as Kubernetes writes them.

/// `spec` and `target` are `spec.target`.
pub(super) fn member(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `spec.headers` and 0 are `spec.headers[0]`.
pub(super) fn entry(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
