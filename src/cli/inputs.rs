//! Which topologies a command is about.

use super::args::SourceArgs;
use super::failure::Failure;
use super::output::usage;
use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::source::{LoadError, Loader, SourceMap, read_text};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One topology.
#[derive(Debug)]
pub(crate) struct Input {
    /// As the user named it, or would.
    pub(crate) name: String,
    /// The directory that nothing leaves.
    pub(crate) root: PathBuf,
    /// What to read.
    pub(crate) text: Text,
    /// Bytes that a file may have.
    pub(crate) max_bytes: u64,
}

/// What to read.
#[derive(Debug)]
pub(crate) enum Text {
    /// A file, relative to the root.
    File(PathBuf),
    /// A text that came from standard input.
    Given(String),
}

impl Input {
    /// What reads its files.
    pub(crate) fn loader(&self) -> Loader {
        Loader::new(
            if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root },
            self.max_bytes,
        )
    }

    fn file(path: &Path, max_bytes: u64) -> Input {
        Input {
            name: path.display().to_string(),
            root: path.parent().unwrap_or(Path::new("")).to_owned(),
            text: Text::File(path.file_name().map(PathBuf::from).unwrap_or_default()),
            max_bytes,
        }
    }
}

/// The topologies that the arguments name: each file, those of each directory, standard input.
///
/// # Errors
/// One that is missing, or a directory without any.
pub(crate) fn discover(paths: &[PathBuf], arguments: &SourceArgs) -> Result<Vec<Input>, Failure> {
    let mut found = Vec::new();
    let mut missing = Diagnostics::default();
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(usage("standard input (-) can be read only once"));
    }
    for path in paths {
        if is_stdin(path) {
            found.push(standard_input(arguments)?);
        } else if path.is_dir() {
            match topologies(path) {
                Ok(files) if files.is_empty() => missing.push(nothing_in(path)),
                Ok(files) => found.extend(files.iter().map(|file| Input::file(file, arguments.max_bytes))),
                Err(error) => missing.push(unreadable(path, &error)),
            }
        } else if path.file_name().is_none() || !path.exists() {
            missing.push(nowhere(path));
        } else {
            found.push(Input::file(path, arguments.max_bytes));
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Failure::input(missing, SourceMap::default())) }
}

/// The one topology that an argument names.
///
/// # Errors
/// As [`discover`], and a directory with several.
pub(crate) fn single(path: &Path, arguments: &SourceArgs) -> Result<Input, Failure> {
    let mut found = discover(&[path.to_owned()], arguments)?;
    match (found.pop(), found.len()) {
        (Some(input), 0) => Ok(input),
        (_, more) => {
            let message =
                format!("`{}` holds {} topologies, and this command takes one", path.display(), more + 1);
            Err(Failure::homeless(Code::NoInput, message, "name the file"))
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn standard_input(arguments: &SourceArgs) -> Result<Input, Failure> {
    let name = arguments.stdin_filename.clone();
    match read_text(io::stdin().lock(), arguments.max_bytes) {
        Ok(text) => Ok(Input {
            root: Path::new(&name).parent().unwrap_or(Path::new("")).to_owned(),
            name,
            text: Text::Given(text),
            max_bytes: arguments.max_bytes,
        }),
        Err(error) => {
            let help = match &error {
                LoadError::TooLarge(_) => "raise --max-bytes if the input is meant to be that large",
                LoadError::NotUtf8(_) => "convert it to UTF-8",
                LoadError::Io(_) | LoadError::LeavesRoot | LoadError::NotAFile => {
                    "check what writes to the pipe"
                }
            };
            Err(Failure::homeless(Code::File, format!("standard input cannot be read: {error}"), help))
        }
    }
}

/// Whether a directory's file of this name is a topology.
fn is_topology(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem == "topology" || stem.ends_with(".isoaudit"))
}

/// The topologies directly in a directory, by name.
fn topologies(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(is_topology);
        if named && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn nothing_in(path: &Path) -> Diagnostic {
    Diagnostic::homeless(Code::NoInput, format!("no topology in the directory `{}`", path.display())).help(
        "looked for topology.yaml, topology.yml, *.isoaudit.yaml and *.isoaudit.yml directly in it; name a file of \
         another name by itself",
    )
}

fn nowhere(path: &Path) -> Diagnostic {
    let shown = path.display();
    Diagnostic::homeless(Code::NoInput, format!("`{shown}` does not exist"))
        .help("an input is a file, a directory with topologies, or - for standard input")
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::homeless(Code::File, format!("the directory `{}` cannot be read: {error}", path.display()))
        .help("check its permissions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topologies_are_known_by_their_names() {
        for (name, is) in [
            ("topology.yaml", true),
            ("topology.yml", true),
            ("prod.isoaudit.yaml", true),
            ("prod.isoaudit.yml", true),
            ("my-topology.yaml", false),
            ("isoaudit.yaml", false),
            ("topology.yaml.bak", false),
        ] {
            assert_eq!(is_topology(name), is, "{name}");
        }
    }
}
