//! From inputs to answers, through the library.

use super::inputs::{Input, Text};
use isoaudit::audit;
use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::report::Report;
use isoaudit::source::{SourceId, SourceMap};
use std::path::Path;

pub(crate) use isoaudit::audit::{Options, Progress as Watch};
pub(crate) use isoaudit::input::{Description, Options as ReadOptions};

/// Reads a topology; afterwards the sources are named as the user would name them.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(
    sources: &mut SourceMap,
    input: &Input,
    reading: &ReadOptions,
) -> Result<Description, Diagnostics> {
    let first = sources.len();
    let description = match &input.text {
        Text::File(path) => isoaudit::input::read(sources, &input.loader(), path, reading),
        Text::Given(text) => {
            let id = add(sources, input, text);
            isoaudit::input::read_source(sources, &input.loader(), id, reading)
        }
    };
    sources.name_below(first, &input.root);
    description
}

/// Judges the claims of a description that was read from the sources behind the first `first`.
pub(crate) fn judge(
    sources: &SourceMap,
    first: usize,
    input: &Input,
    description: Description,
    options: &Options,
    watch: &dyn Watch,
) -> Report {
    audit::judge(sources, first, Path::new(&input.name), description, options, watch)
}

/// The description after includes, groups and defaults, as YAML.
///
/// # Errors
/// Everything that is wrong with its shape.
pub(crate) fn resolved(sources: &mut SourceMap, input: &Input) -> Result<String, Diagnostics> {
    let first = sources.len();
    let value = match &input.text {
        Text::File(path) => isoaudit::input::resolve(sources, &input.loader(), path),
        Text::Given(text) => {
            let id = add(sources, input, text);
            isoaudit::input::resolve_source(sources, &input.loader(), id)
        }
    };
    sources.name_below(first, &input.root);
    serde_yaml::to_string(&value?).map_err(|error| {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::homeless(Code::Syntax, format!("cannot be written as YAML: {error}")));
        diagnostics
    })
}

/// The text of a policy file in the one layout.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn format_policy(text: &str, source: SourceId) -> Result<String, Diagnostics> {
    isoaudit::input::policy::format(text, source)
}

/// A given text is named by its file name, like a file of its root.
fn add(sources: &mut SourceMap, input: &Input, text: &str) -> SourceId {
    let name = Path::new(&input.name).file_name().unwrap_or_default();
    sources.add(name.to_string_lossy(), text)
}
