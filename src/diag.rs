//! Diagnostics: what is wrong with an input, where, and how to fix it. Collected here, printed elsewhere.
//!
//! Texts follow rustc: a lowercase sentence without a full stop, the user's words in backticks, and the way
//! out in `help`, apart from the message.

use crate::source::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing can be decided.
    Error,
    /// Decided, but the reader should know.
    Warning,
}

/// Defines [`Code`]: one row for each kind of diagnostic, with its kebab-case id and what it means.
macro_rules! codes {
    ($($variant:ident $id:literal $meaning:literal;)*) => {
        /// The kind of a diagnostic. Its id is stable: scripts and documents may name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The stable id.
            pub fn id(self) -> &'static str {
                match self { $(Code::$variant => $id,)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    File "file" "A file could not be read: missing, not a file, too large, not UTF-8, or outside the root.";
    NoInput "no-input" "No topology was found where one was named.";
    Syntax "syntax" "The text does not follow the grammar of its format.";
    Limit "limit" "The text is nested, aliased or sized beyond a limit that protects the auditor.";
    UnknownKey "unknown-key" "A key that no such object has.";
    DuplicateKey "duplicate-key" "A key, or a name, that is given twice.";
    NotBuilt "not-built" "A key or a claim of the language that this version does not decide yet.";
    MissingKey "missing-key" "A key that the object must have.";
    WrongType "wrong-type" "A value of another kind than the key takes.";
    BadValue "bad-value" "A value of the right kind that means nothing here.";
    UnknownName "unknown-name" "A name that nothing declares.";
    Conflict "conflict" "Two statements that cannot both be true.";
    Address "address" "An address or prefix that is malformed, has host bits, or overlaps another.";
    Link "link" "A link, trunk or VLAN that cannot be as described.";
    IncludeCycle "include-cycle" "A file that includes itself, directly or through others.";
    Selector "selector" "A selector that cannot be read.";
    Policy "policy" "A policy rule that cannot be read or means nothing.";
    Dump "dump" "A device's own file that cannot be read.";
    Reproduce "reproduce" "A counterexample that cannot be shown on this machine.";
}

/// One further place that explains a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One thing that is wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where; only a file that could not be opened has no place.
    pub span: Option<Span>,
    /// What stands at `span`, printed under it.
    pub label: Option<String>,
    /// Further places.
    pub related: Vec<Label>,
    /// How to fix it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { span: Some(span), ..Diagnostic::homeless(code, message) }
    }

    /// An error about something that has no text, such as a file that cannot be opened.
    pub fn homeless(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            span: None,
            label: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// Says what stands at the place.
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        self.label = Some(text.into());
        self
    }

    /// Says how to fix it.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Says how to fix it, if there is something to say.
    pub fn maybe_help(mut self, text: Option<String>) -> Diagnostic {
        self.help = text.or(self.help);
        self
    }

    /// Points to a further place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.related.push(Label { span, text: text.into() });
        self
    }
}

/// How many diagnostics of one severity are kept. A hostile input must not fill the memory with them.
const MOST_KEPT: usize = 1000;

/// Behind how many diagnostics nothing is suggested any more: each suggestion looks at all names.
const MOST_SUGGESTING: usize = 100;

/// Everything found wrong so far. The order is that of finding; [`Diagnostics::sorted`] gives that of the text.
#[derive(Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= MOST_KEPT {
            self.found.push(diagnostic);
        }
    }

    /// Adds all of another collection.
    pub fn append(&mut self, other: Diagnostics) {
        let (errors, warnings) = (self.errors + other.errors, self.warnings + other.warnings);
        other.found.into_iter().for_each(|diagnostic| self.push(diagnostic));
        (self.errors, self.warnings) = (errors, warnings);
    }

    /// Whether something forbids a decision.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// As [`suggest`], unless so much was found already that it would take too long.
    pub fn suggest<'a>(&self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
        if self.found.len() > MOST_SUGGESTING { None } else { suggest(word, known) }
    }

    /// Everything found so far, in the order of finding.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.found.iter()
    }

    /// In the order of the text: by source, place, then code. Exact repetitions are dropped. If there was more
    /// than is kept, the last one says how much.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
        self.found.dedup();
        for (count, what, severity) in
            [(self.errors, "errors", Severity::Error), (self.warnings, "warnings", Severity::Warning)]
        {
            if count > MOST_KEPT {
                let message = format!("{} more {what} are not shown", count - MOST_KEPT);
                self.found.push(Diagnostic { severity, ..Diagnostic::homeless(Code::Limit, message) });
            }
        }
        self.found
    }
}

/// "did you mean …?" for a word that is none of `known`, if one is close enough to be a typing slip.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    #[test]
    fn suggestions_are_for_slips_only() {
        let known = ["zone", "zones", "role"];
        assert_eq!(suggest("zoen", known).as_deref(), Some("did you mean `zone`?"));
        assert_eq!(suggest("interfaces", known), None);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let at = |start| Span::new(SourceId(0), start, start + 1);
        let mut all = Diagnostics::default();
        (0..MOST_KEPT + 5).for_each(|n| all.push(Diagnostic::warning(Code::Syntax, at(n), "w")));
        assert!(!all.has_errors());
        let mut more = Diagnostics::default();
        (0..MOST_KEPT + 7).for_each(|n| more.push(Diagnostic::error(Code::Syntax, at(n), "e")));
        all.append(more);
        assert!(all.has_errors() && all.suggest("a", ["b"]).is_none());
        let all = all.sorted();
        assert_eq!(all.len(), 2 * MOST_KEPT + 2);
        assert_eq!(all[2 * MOST_KEPT].message, "7 more errors are not shown");
        assert_eq!(all[2 * MOST_KEPT + 1].message, "5 more warnings are not shown");
    }

    #[test]
    fn ids_are_unique_and_sorting_is_by_place() {
        let ids: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        let at = |start| Span::new(SourceId(0), start, start + 1);
        let mut all = Diagnostics::default();
        all.push(Diagnostic::error(Code::Syntax, at(9), "b"));
        all.push(Diagnostic::error(Code::Syntax, at(3), "a"));
        all.push(Diagnostic::error(Code::Syntax, at(3), "a"));
        let order: Vec<_> = all.sorted().into_iter().map(|d| d.message).collect();
        assert_eq!(order, ["a", "b"]);
    }
}
