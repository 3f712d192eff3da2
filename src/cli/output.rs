//! Several formats in one run, each to its place. Files are written whole or not at all, and before anything is
//! said on standard output.

use super::args::{Cli, FormatArgs};
use super::console::Console;
use super::failure::Failure;
use clap::CommandFactory;
use clap::error::ErrorKind;
use isoaudit::diag::suggest;
use isoaudit::report::{Detail, FORMATS, Format, Look, format, safe};
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// A format and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    format: &'static Format,
    /// `None` is standard output.
    file: Option<PathBuf>,
}

impl Request {
    /// Reads `FORMAT[=FILE]`; the file `-` is standard output.
    pub(crate) fn parse(text: &str) -> Result<Request, String> {
        let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
        let known = || FORMATS.iter().map(|format| format.name);
        let Some(format) = format(name) else {
            let list: Vec<&str> = known().collect();
            let hint = suggest(name, known()).map_or(String::new(), |hint| format!("; {hint}"));
            return Err(format!("the formats are {}{hint}", list.join(", ")));
        };
        match file {
            Some("") => Err(format!("a file name is missing after `{name}=`")),
            None | Some("-") => Ok(Request { format, file: None }),
            Some(file) => Ok(Request { format, file: Some(PathBuf::from(file)) }),
        }
    }
}

/// The long help of `--format`, from the table of formats.
pub(crate) fn format_help() -> String {
    let mut help =
        "Write this format, to standard output or to a file; may be given several times.\n".to_owned();
    for format in FORMATS {
        help.push_str(&format!("\n{:<5} {}", format.name, format.about));
    }
    help.push_str(
        "\n\nWithout it, text goes to standard output. A file is replaced whole, or left as it was.",
    );
    help
}

/// Where the answers of a command go.
#[derive(Debug)]
pub(crate) struct Outputs {
    requests: Vec<Request>,
    detail: Detail,
}

impl Outputs {
    /// The outputs that were asked for, or text on standard output.
    ///
    /// # Errors
    /// Two of them go to the same place.
    pub(crate) fn new(arguments: &FormatArgs, detail: Detail) -> Result<Outputs, Failure> {
        let mut requests = arguments.formats.clone();
        if requests.is_empty() {
            requests.extend(format("text").map(|format| Request { format, file: None }));
        }
        let unseen = requests.iter().find(|request| request.file.is_none() && !request.format.is_text);
        if let Some(Request { format, .. }) = unseen.filter(|_| io::stdout().is_terminal()) {
            let name = format.name;
            return Err(usage(&format!(
                "a terminal cannot show `{name}`; name a file: --format {name}=FILE"
            )));
        }
        for (index, request) in requests.iter().enumerate() {
            if requests[..index].iter().any(|before| before.file == request.file) {
                let place = request.file.as_ref().map_or_else(
                    || "standard output".to_owned(),
                    |file| format!("`{}`", safe::safe(&file.display().to_string())),
                );
                return Err(usage(&format!("two formats go to {place}; give all but one a file of its own")));
            }
        }
        Ok(Outputs { requests, detail })
    }

    /// Writes every format: the files first, then standard output.
    pub(crate) fn deliver(
        &self,
        console: &Console,
        render: impl Fn(&Format, &Look) -> Result<Vec<u8>, Failure>,
    ) -> Result<(), Failure> {
        self.deliver_to(console, |format, look, _| render(format, look))
    }

    fn deliver_to(
        &self,
        console: &Console,
        render: impl Fn(&Format, &Look, Option<&Path>) -> Result<Vec<u8>, Failure>,
    ) -> Result<(), Failure> {
        let mut written = Vec::new();
        let mut shown = Vec::new();
        for request in &self.requests {
            match &request.file {
                Some(file) => {
                    let look = Look { detail: self.detail, ..Look::PLAIN };
                    let bytes = render(request.format, &look, Some(file))?;
                    written.push(Draft::new(file, &bytes).map_err(|error| Failure::write(file, error))?);
                }
                None => {
                    let look = Look { detail: self.detail, ..console.out };
                    shown = render(request.format, &look, None)?;
                }
            }
        }
        for draft in written {
            let path = draft.path.clone();
            draft.publish().map_err(|error| Failure::write(&path, error))?;
        }
        console.print(&shown)
    }

    /// Writes why nothing was decided in every format that was asked for, so that a program which waits for a
    /// document gets one. What people read is left to the caller: it goes to standard error.
    pub(crate) fn refuse(&self, failure: Failure, console: &Console) -> Failure {
        let Failure::Input { diagnostics, sources } = &failure else { return failure };
        let told = self.deliver_to(console, |format, look, file| {
            let told_already = format.name == "text" && file.is_none();
            Ok(if told_already { Vec::new() } else { (format.errors)(diagnostics, sources, look) })
        });
        if let Err(unwritten) = told {
            console.fail(unwritten);
        }
        failure
    }
}

/// Replaces a file whole, or leaves it as it was.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    Draft::new(path, text.as_bytes()).and_then(Draft::publish).map_err(|error| Failure::write(path, error))
}

/// Wrong usage that only shows when all arguments are known.
pub(crate) fn usage(message: &str) -> Failure {
    Failure::Usage(Cli::command().error(ErrorKind::ArgumentConflict, message))
}

/// A format that cannot say what a command has to say.
pub(crate) fn unsupported(format: &Format, command: &str) -> Failure {
    usage(&format!("the format `{}` cannot be used with `{command}`", format.name))
}

/// A file that is written beside its place, and moved there when all is well.
struct Draft {
    path: PathBuf,
    /// Where it is now; `None` if it had to be written in place.
    temporary: Option<PathBuf>,
}

impl Draft {
    fn new(path: &Path, bytes: &[u8]) -> io::Result<Draft> {
        // A device or a pipe, such as /dev/stderr, cannot be replaced.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            fs::OpenOptions::new().write(true).open(path)?.write_all(bytes)?;
            return Ok(Draft { path: path.to_owned(), temporary: None });
        }
        let Some(name) = path.file_name() else { return Err(io::Error::other("it names no file")) };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        let draft = Draft { path: path.to_owned(), temporary: Some(temporary.clone()) };
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Moves it to its place.
    fn publish(mut self) -> io::Result<()> {
        match self.temporary.take() {
            Some(temporary) => fs::rename(&temporary, &self.path).inspect_err(|_| {
                self.temporary = Some(temporary);
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    /// What did not get to its place leaves nothing behind.
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_with_their_files() {
        let of = |text| Request::parse(text).map(|request| (request.format.name, request.file));
        assert_eq!(of("text"), Ok(("text", None)));
        assert_eq!(of("json=-"), Ok(("json", None)));
        assert_eq!(of("json=a=b.json"), Ok(("json", Some(PathBuf::from("a=b.json")))));
        assert_eq!(of("json="), Err("a file name is missing after `json=`".to_owned()));
        let hint = Request::parse("jsno").map(|_| ()).unwrap_err();
        assert!(hint.contains("text, json") && hint.contains("did you mean `json`?"), "{hint}");
    }

    #[test]
    fn a_draft_that_is_not_published_leaves_no_trace() {
        let folder = std::env::temp_dir().join(format!("isoaudit-draft-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("report.json");
        fs::write(&path, "old").unwrap();
        drop(Draft::new(&path, b"new").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        Draft::new(&path, b"new").unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
