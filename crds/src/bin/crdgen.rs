//! Writes the CustomResourceDefinitions, one file a kind, or checks that what is there is what would be written.
//!
//! ```text
//! crdgen [--check] DIR [CHART_DIR]
//! ```
//!
//! `DIR` gets plain definitions; `CHART_DIR` those that Helm leaves in place on uninstall.

use std::{fs, path::Path, process::ExitCode};

use posthaste_crds::crd::{Audience, File, files};

const USAGE: &str = "usage: crdgen [--check] DIR [CHART_DIR]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), String> {
    let (options, folders): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|argument| argument.starts_with('-'));
    let act = match options.as_slice() {
        [] => write,
        [option] if option == "--check" => check,
        _ => return Err(USAGE.to_owned()),
    };
    let (plain, chart) = match folders.as_slice() {
        [plain] => (plain, None),
        [plain, chart] => (plain, Some(chart)),
        _ => return Err(USAGE.to_owned()),
    };
    act(plain.as_ref(), files(Audience::Kubectl))?;
    chart.map_or(Ok(()), |chart| act(chart.as_ref(), files(Audience::Chart)))
}

fn write(folder: &Path, files: Vec<File>) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for file in files {
        let path = folder.join(file.name);
        fs::write(&path, file.content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn check(folder: &Path, files: Vec<File>) -> Result<(), String> {
    for file in files {
        let path = folder.join(file.name);
        let found = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if found != file.content {
            return Err(format!(
                "{} differs from the types in crds/src: run crdgen and commit what it writes",
                path.display()
            ));
        }
    }
    Ok(())
}
