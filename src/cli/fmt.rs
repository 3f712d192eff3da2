//! `isoaudit fmt`: policy files in the one layout.

use super::Outcome;
use super::args::FmtArgs;
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{replace, usage};
use super::pipeline::format_policy;
use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::report::safe::safe;
use isoaudit::source::{LoadError, SourceMap, read_text};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A file and what it should be.
struct Formatted {
    path: PathBuf,
    before: String,
    after: String,
}

/// Formats all files, or none if something is wrong with any.
pub(super) fn run(arguments: &FmtArgs, console: &Console) -> Outcome {
    let piped = arguments.files.iter().any(|path| is_stdin(path));
    if piped && arguments.files.len() > 1 {
        return Err(usage("standard input (-) is formatted alone"));
    }
    let all = read_all(arguments)?;
    if arguments.check {
        return check(&all, console);
    }
    for file in all {
        if piped {
            console.print(&file.after)?;
        } else if file.before != file.after {
            replace(&file.path, &file.after)?;
            console.complain(&format!("formatted {}\n", safe(&file.path.display().to_string())));
        }
    }
    Ok(Exit::Fine)
}

fn check(all: &[Formatted], console: &Console) -> Outcome {
    let changed: Vec<&Formatted> = all.iter().filter(|file| file.before != file.after).collect();
    for file in &changed {
        console.print(format!("{}\n", safe(&file.path.display().to_string())))?;
    }
    Ok(if changed.is_empty() { Exit::Fine } else { Exit::Violated })
}

fn read_all(arguments: &FmtArgs) -> Result<Vec<Formatted>, Failure> {
    let mut sources = SourceMap::default();
    let mut wrong = Diagnostics::default();
    let mut all = Vec::new();
    for path in &arguments.files {
        let before = match read(path, arguments.max_bytes) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", path.display());
                wrong.push(Diagnostic::homeless(Code::File, message).help("name a policy file"));
                continue;
            }
        };
        let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let id = sources.add(name, before.as_str());
        match format_policy(&before, id) {
            Ok(after) => all.push(Formatted { path: path.clone(), before, after }),
            Err(diagnostics) => wrong.append(diagnostics),
        }
    }
    if wrong.has_errors() { Err(Failure::input(wrong, sources)) } else { Ok(all) }
}

fn read(path: &Path, max_bytes: u64) -> Result<String, LoadError> {
    if is_stdin(path) {
        return read_text(io::stdin().lock(), max_bytes);
    }
    if path.is_dir() {
        return Err(LoadError::NotAFile);
    }
    read_text(File::open(path).map_err(LoadError::Io)?, max_bytes)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
