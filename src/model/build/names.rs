//! Names: who has which, which are given twice, and what was probably meant by one that nobody has.

use crate::diag::{Code, Diagnostic, Diagnostics, Severity, suggest};
use crate::source::{Span, Spanned};
use rustc_hash::FxHashMap;

/// Most errors that get a suggestion: each costs a look at every name.
const MOST_SUGGESTIONS: usize = 100;

/// What the builder finds wrong, and how much it may still spend on suggestions.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Diagnostics,
    errors: usize,
    suggested: usize,
}

impl Findings {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        self.found.push(diagnostic);
    }

    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.push(Diagnostic::error(code, span, message).help(help));
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub(super) fn into_diagnostics(self) -> Diagnostics {
        self.found
    }

    /// "did you mean …?", while there is something left to spend.
    pub(super) fn suggest<'a>(&mut self, word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
        if self.suggested >= MOST_SUGGESTIONS {
            return None;
        }
        self.suggested += 1;
        suggest(word, known)
    }
}

/// Whether a character prints as nothing, or changes how its neighbours print.
fn is_hidden(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    character.is_control() || is_format
}

/// A text from outside as it may be printed: hidden characters are written as escapes.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    shown
}

/// Refuses names that print as something else than they are.
pub(super) fn check_name(what: &str, name: &Spanned<String>, findings: &mut Findings) {
    if name.value.is_empty() {
        findings.error(Code::BadValue, name.span, format!("the name of {what} is empty"), "give it a name");
    } else if name.value.chars().any(is_hidden) {
        let message =
            format!("the name of {what}, `{}`, holds characters that do not show", visible(&name.value));
        findings.error(Code::BadValue, name.span, message, "use letters, digits, `-`, `_` and `.`");
    }
}

/// Things of one kind by name. Their positions are their numbers.
#[derive(Debug)]
pub(super) struct Registry<T> {
    /// What one of them is, with its article.
    what: &'static str,
    /// The key of the description that declares them.
    key: &'static str,
    items: Vec<T>,
    places: Vec<Span>,
    by_name: FxHashMap<String, usize>,
    repeated: Vec<(Spanned<String>, Span)>,
}

impl<T> Registry<T> {
    pub(super) fn new(what: &'static str, key: &'static str) -> Registry<T> {
        Registry {
            what,
            key,
            items: Vec::new(),
            places: Vec::new(),
            by_name: FxHashMap::default(),
            repeated: Vec::new(),
        }
    }

    /// Adds a thing, and returns its position; if the name is taken, that of the first of the name.
    pub(super) fn add(&mut self, name: Spanned<String>, item: T) -> usize {
        if let Some(first) = self.by_name.get(&name.value) {
            let place = self.places[*first];
            self.repeated.push((name, place));
            return *first;
        }
        let position = self.items.len();
        self.items.push(item);
        self.places.push(name.span);
        self.by_name.insert(name.value, position);
        position
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Every name, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    pub(super) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }

    /// Reports names that are given twice.
    pub(super) fn check(&self, findings: &mut Findings) {
        for (name, first) in &self.repeated {
            let message = format!("{} of the name `{}` is declared twice", self.what, visible(&name.value));
            let repeated = Diagnostic::error(Code::DuplicateKey, name.span, message)
                .also(*first, "declared here first")
                .help("rename or remove one of them");
            findings.push(repeated);
        }
    }

    /// The position of a name, or an error.
    pub(super) fn resolve(&self, name: &Spanned<String>, findings: &mut Findings) -> Option<usize> {
        let position = self.find(&name.value);
        if position.is_none() {
            let help = findings
                .suggest(&name.value, self.names())
                .unwrap_or_else(|| format!("declare it under `{}`", self.key));
            let message = format!("nothing declares {} of the name `{}`", self.what, visible(&name.value));
            findings.error(Code::UnknownName, name.span, message, &help);
        }
        position
    }
}
