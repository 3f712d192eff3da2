//! What is wrong inside a single word, such as an address or a service, and at which of its bytes.

use crate::diag::{Code, Diagnostic};
use crate::source::{SourceId, Span};
use nom::Offset;

/// Why a word cannot be read.
#[derive(Debug)]
pub(crate) struct Flaw<'a> {
    /// The part that is wrong, a slice of the word.
    pub(crate) at: &'a str,
    /// The kind of the diagnostic.
    pub(crate) code: Code,
    /// What is wrong.
    pub(crate) message: String,
    /// How to fix it.
    pub(crate) help: Option<String>,
}

impl<'a> Flaw<'a> {
    /// A flaw of a part of a word.
    pub(crate) fn new(at: &'a str, code: Code, message: impl Into<String>) -> Flaw<'a> {
        Flaw { at, code, message: message.into(), help: None }
    }

    /// Says how to fix it.
    pub(crate) fn help(mut self, text: impl Into<String>) -> Flaw<'a> {
        self.help = Some(text.into());
        self
    }

    /// Says how to fix it, if there is something to say.
    pub(crate) fn maybe_help(mut self, text: Option<String>) -> Flaw<'a> {
        self.help = text.or(self.help);
        self
    }

    /// The diagnostic, where `text` is the source that the word is a slice of.
    pub(crate) fn diagnostic(self, text: &str, source: SourceId) -> Diagnostic {
        let span = span_of(text, source, self.at);
        Diagnostic::error(self.code, span, self.message).maybe_help(self.help)
    }
}

/// The span of a slice of a source.
pub(crate) fn span_of(text: &str, source: SourceId, part: &str) -> Span {
    let start = text.offset(part);
    Span::new(source, start, start + part.len())
}

/// A decimal number up to `most`, as a flaw of `what` otherwise.
pub(crate) fn number<'a>(part: &'a str, most: u32, what: &str, code: Code) -> Result<u32, Flaw<'a>> {
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Flaw::new(part, code, format!("`{part}` is not {what}")));
    }
    match part.parse::<u32>() {
        Ok(value) if value <= most => Ok(value),
        Ok(_) | Err(_) => {
            let message = format!("`{part}` is too large for {what}");
            Err(Flaw::new(part, code, message).help(format!("the largest is {most}")))
        }
    }
}

/// `LOW` or `LOW-HIGH`, both up to `most`; an empty range is a flaw.
pub(crate) fn range<'a>(part: &'a str, most: u32, what: &str, code: Code) -> Result<(u32, u32), Flaw<'a>> {
    let Some((low, high)) = part.split_once('-') else {
        return number(part, most, what, code).map(|value| (value, value));
    };
    if high.is_empty() || low.is_empty() {
        let flaw = Flaw::new(part, code, format!("the range `{part}` lacks an end"));
        let (low, high) = (
            if low.is_empty() { "0" } else { low },
            if high.is_empty() { most.to_string() } else { high.to_owned() },
        );
        return Err(flaw.help(format!("write `{low}-{high}`")));
    }
    let ends = (number(low, most, what, code)?, number(high, most, what, code)?);
    if ends.0 > ends.1 {
        let flaw = Flaw::new(part, code, format!("the range `{part}` is empty: it ends before it begins"));
        return Err(flaw.help(format!("write `{high}-{low}`")));
    }
    Ok(ends)
}
