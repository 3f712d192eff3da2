//! Which topologies a command is about.

use super::args::SourceArgs;
use super::failure::Failure;
use super::output::usage;
use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::source::{LoadError, Loader, SourceMap, read_text};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Levels of directories that a search goes down.
const DEPTH_MAX: usize = 32;

/// Topologies that are named where one has to be chosen.
const CHOICES_MAX: usize = 8;

/// Files and directories that a search looks at.
const ENTRIES_MAX: usize = 100_000;

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

/// Which files of a directory are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Those directly in it.
    Direct,
    /// Those of its subdirectories, too.
    Below,
}

/// The topologies that the arguments name: each file, those below each directory, standard input.
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
            match topologies(path, Depth::Below) {
                Ok(files) if files.is_empty() => missing.push(nothing_in(path)),
                Ok(files) => found.extend(files.iter().map(|file| Input::file(file, arguments.max_bytes))),
                Err(wrong) => missing.push(wrong),
            }
        } else if path.file_name().is_none() || !path.exists() {
            missing.push(nowhere(path));
        } else {
            found.push(Input::file(path, arguments.max_bytes));
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Failure::input(missing, SourceMap::default())) }
}

/// The one topology that an argument names: a file, standard input, the only topology directly in a directory, or, if it
/// has none, the only one below it. `command` is who asks.
///
/// # Errors
/// As [`discover`], and a directory with several: whichever was meant, another would be an answer to another question.
pub(crate) fn single(path: &Path, arguments: &SourceArgs, command: &str) -> Result<Input, Failure> {
    let is_directory = !is_stdin(path) && path.is_dir();
    let direct = if is_directory { topologies(path, Depth::Direct) } else { Ok(Vec::new()) };
    let direct = direct.map_err(Failure::one)?;
    let mut found: Vec<Input> = match direct.is_empty() {
        true => discover(&[path.to_owned()], arguments)?,
        false => direct.iter().map(|file| Input::file(file, arguments.max_bytes)).collect(),
    };
    match (found.pop(), found.len()) {
        (Some(input), 0) => Ok(input),
        (last, _) => {
            found.extend(last);
            Err(several(path, &found, command))
        }
    }
}

/// A directory with several topologies, where a command takes one.
fn several(path: &Path, found: &[Input], command: &str) -> Failure {
    let names: Vec<&str> = found.iter().take(CHOICES_MAX).map(|input| input.name.as_str()).collect();
    let more = match found.len() - names.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!(
        "`{}` holds {} topologies, and `{command}` takes one: {}{more}",
        path.display(),
        found.len(),
        names.join(", ")
    );
    let first = names.first().copied().unwrap_or_default();
    Failure::homeless(Code::NoInput, message, format!("name one of them: isoaudit {command} {first} ..."))
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

/// The topologies of a directory, sorted by path. A symbolic link to a directory is not followed, so nothing leads out of it
/// and the search ends; one in place of a file is the business of whoever reads it. Hidden directories are not entered.
fn topologies(directory: &Path, depth: Depth) -> Result<Vec<PathBuf>, Diagnostic> {
    let mut files = Vec::new();
    let mut open = vec![(directory.to_owned(), 0)];
    let mut entries = 0;
    while let Some((inside, level)) = open.pop() {
        let unread = |error: io::Error| unreadable(&inside, &error);
        for entry in fs::read_dir(&inside).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            entries += 1;
            if entries > ENTRIES_MAX {
                return Err(too_large(directory, &format!("more than {ENTRIES_MAX} files and directories")));
            }
            let (name, path) = (entry.file_name(), entry.path());
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            if entry.file_type().map_err(unread)?.is_dir() {
                if level == DEPTH_MAX && depth == Depth::Below {
                    return Err(too_large(
                        directory,
                        &format!("directories in more than {DEPTH_MAX} levels"),
                    ));
                }
                open.extend((depth == Depth::Below && !is_hidden).then(|| (path, level + 1)));
            } else if name.to_str().is_some_and(is_topology) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn nothing_in(path: &Path) -> Diagnostic {
    let message = format!("no topology in the directory `{}`", path.display());
    Diagnostic::homeless(Code::NoInput, message).help(
        "looked for topology.yaml, topology.yml, *.isoaudit.yaml and *.isoaudit.yml in it and below it; name a file of \
         another name by itself",
    )
}

fn too_large(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::homeless(Code::Limit, format!("the directory `{}` holds {what}", path.display()))
        .help("name the topologies, or the directories that hold them")
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
