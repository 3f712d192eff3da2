//! From inputs to answers, through the library.

use super::inputs::{Input, Text};
use isoaudit::claim::Claim;
use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::input;
use isoaudit::input::policy::Date;
use isoaudit::model::Network;
use isoaudit::report::Report;
use isoaudit::source::{SourceId, SourceMap};
use isoaudit::verdict;
use std::path::Path;

pub(crate) use shim::{Description, Options, Watch};

/// Reads a topology; afterwards the sources are named as the user would name them.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(
    sources: &mut SourceMap,
    input: &Input,
    as_of: Option<Date>,
) -> Result<Description, Diagnostics> {
    let first = sources.len();
    let description = match &input.text {
        Text::File(path) => shim::read(sources, &input.loader(), path, as_of),
        Text::Given(text) => {
            let id = add(sources, input, text);
            shim::read_text(sources, &input.loader(), id, as_of)
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
    shim::judge(sources, first, Path::new(&input.name), description, options, watch)
}

/// The description after includes, groups and defaults, as YAML.
///
/// # Errors
/// Everything that is wrong with its shape.
pub(crate) fn resolved(sources: &mut SourceMap, input: &Input) -> Result<String, Diagnostics> {
    let first = sources.len();
    let value = match &input.text {
        Text::File(path) => input::resolve(sources, &input.loader(), path),
        Text::Given(text) => {
            let id = add(sources, input, text);
            shim::resolve_text(sources, &input.loader(), id)
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
    shim::format_policy(text, source)
}

/// A given text is named by its file name, like a file of its root.
fn add(sources: &mut SourceMap, input: &Input, text: &str) -> SourceId {
    let name = Path::new(&input.name).file_name().unwrap_or_default();
    sources.add(name.to_string_lossy(), text)
}

/// What the library does not offer yet; each goes when it does.
mod shim {
    use super::*;
    use isoaudit::source::Loader;
    use isoaudit::verdict::Judgement;

    pub(crate) struct Description {
        pub(crate) network: Network,
        pub(crate) claims: Vec<Claim>,
        pub(crate) warnings: Diagnostics,
    }

    #[derive(Debug, Clone, Default)]
    pub(crate) struct Options {
        pub(crate) judging: verdict::Options,
        pub(crate) strict: bool,
        pub(crate) claims: Vec<String>,
    }

    pub(crate) trait Watch: Sync {
        fn read(&self, claims: usize) {
            let _ = claims;
        }
        fn compiled(&self) {}
        fn judged(&self, judgement: &Judgement) {
            let _ = judgement;
        }
    }

    fn missing() -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::homeless(Code::NotBuilt, "descriptions are not read yet"));
        diagnostics
    }

    pub(super) fn read(
        _: &mut SourceMap,
        _: &Loader,
        _: &Path,
        _: Option<Date>,
    ) -> Result<Description, Diagnostics> {
        Err(missing())
    }

    pub(super) fn read_text(
        _: &mut SourceMap,
        _: &Loader,
        _: SourceId,
        _: Option<Date>,
    ) -> Result<Description, Diagnostics> {
        Err(missing())
    }

    pub(super) fn resolve_text(
        _: &mut SourceMap,
        _: &Loader,
        _: SourceId,
    ) -> Result<serde_yaml::Value, Diagnostics> {
        Err(missing())
    }

    pub(super) fn format_policy(_: &str, _: SourceId) -> Result<String, Diagnostics> {
        Err(missing())
    }

    pub(super) fn judge(
        _: &SourceMap,
        _: usize,
        path: &Path,
        description: Description,
        options: &Options,
        watch: &dyn Watch,
    ) -> Report {
        let Description { network, claims, warnings } = description;
        let wanted = |claim: &Claim| options.claims.is_empty() || options.claims.contains(&claim.id.value);
        watch.read(claims.len());
        let judge = verdict::Judge::new(&network, &claims, options.judging);
        watch.compiled();
        let judgements = judge.judge_all(&wanted, &|judgement| watch.judged(judgement));
        Report {
            topology: network.name.clone(),
            input: path.display().to_string(),
            files: Vec::new(),
            coverage: Default::default(),
            judgements,
            assumptions: Vec::new(),
            ledger: network.ledger.clone(),
            warnings: warnings.sorted(),
        }
    }
}
