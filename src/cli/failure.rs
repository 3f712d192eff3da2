//! Why a command could not do its work.

use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::source::SourceMap;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command could not do its work. Each ends in exit code 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments contradict each other in a way that only shows when all are known.
    Usage(clap::Error),
    /// The input is wrong.
    Input {
        /// Everything that is wrong, in the order of the text.
        diagnostics: Vec<Diagnostic>,
        /// The texts that it speaks of.
        sources: SourceMap,
    },
    /// A file could not be written.
    Write {
        /// The file; `None` is the standard output.
        path: Option<PathBuf>,
        /// What the operating system said.
        error: io::Error,
    },
}

impl Failure {
    /// The input is wrong.
    pub(crate) fn input(diagnostics: Diagnostics, sources: SourceMap) -> Failure {
        Failure::Input { diagnostics: diagnostics.sorted(), sources }
    }

    /// The input is wrong in one way that no text shows.
    pub(crate) fn homeless(code: Code, message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::one(Diagnostic::homeless(code, message).help(help))
    }

    /// The input is wrong in this way, which no text shows.
    pub(crate) fn one(diagnostic: Diagnostic) -> Failure {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(diagnostic);
        Failure::input(diagnostics, SourceMap::default())
    }

    /// A file could not be written.
    pub(crate) fn write(path: &Path, error: io::Error) -> Failure {
        Failure::Write { path: Some(path.to_owned()), error }
    }
}
