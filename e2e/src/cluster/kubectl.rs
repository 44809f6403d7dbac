//! The command line tools, as a user runs them.

use std::process::Stdio;

use tokio::{io::AsyncWriteExt, process::Command};

/// What a command said.
#[derive(Debug, Clone)]
pub struct Output {
    /// It exited with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "failed: {}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard error of a command that must have failed.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.success, "expected to be refused, but: {}", self.stdout);
        self.stderr
    }
}

/// Runs `kubectl` with standard input.
pub async fn kubectl<S: AsRef<str>>(args: &[S], input: &str) -> Output {
    run("kubectl", args, input).await
}

/// Runs `helm`.
pub async fn helm<S: AsRef<str>>(args: &[S]) -> Output {
    run("helm", args, "").await
}

async fn run<S: AsRef<str>>(program: &str, args: &[S], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(args.iter().map(AsRef::as_ref))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    // A command that reads nothing closes its end first; that is no failure of ours.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("the command ends");
    Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
