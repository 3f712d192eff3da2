//! Tokens of the policy language as nom parsers over `&str`, and the error that they and the grammar share.
//!
//! Every token takes the blanks and comments behind it, so a parser always stands on a token. Places come from
//! the slices themselves. The error keeps the furthest place and what was expected there.

use crate::diag::{Code, Diagnostic};
use crate::input::word::span_of;
use crate::source::{SourceId, Span, Spanned};
use nom::IResult;
use nom::Parser;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::char;
use nom::error::{ErrorKind, ParseError};
use nom::sequence::terminated;
use std::borrow::Cow;

/// The result of a parser of this language.
pub(super) type Parsed<'a, T> = IResult<&'a str, T, Trouble<'a>>;

/// Why the text cannot be read on.
#[derive(Debug)]
pub(super) struct Trouble<'a> {
    /// Where: the rest of the text from there.
    pub(super) at: &'a str,
    /// What could stand there.
    expected: Vec<Cow<'static, str>>,
    /// What is known beyond that.
    detail: Option<Box<Detail>>,
}

#[derive(Debug, Default)]
struct Detail {
    code: Option<Code>,
    message: Option<String>,
    help: Option<String>,
    related: Option<(Span, String)>,
}

impl<'a> ParseError<&'a str> for Trouble<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Trouble<'a> {
        Trouble { at, expected: Vec::new(), detail: None }
    }

    fn append(_: &'a str, _: ErrorKind, other: Trouble<'a>) -> Trouble<'a> {
        other
    }

    fn or(mut self, mut other: Trouble<'a>) -> Trouble<'a> {
        if self.at.len() != other.at.len() {
            return if self.at.len() < other.at.len() { self } else { other };
        }
        self.expected.append(&mut other.expected);
        self.detail = self.detail.or(other.detail);
        self
    }
}

impl<'a> Trouble<'a> {
    /// Something else was expected.
    pub(super) fn expected(at: &'a str, what: impl Into<Cow<'static, str>>) -> Trouble<'a> {
        Trouble { at, expected: vec![what.into()], detail: None }
    }

    /// The text follows the grammar so far and still cannot be read on.
    pub(super) fn because(at: &'a str, code: Code, message: impl Into<String>) -> Trouble<'a> {
        let detail = Detail { code: Some(code), message: Some(message.into()), ..Detail::default() };
        Trouble { at, expected: Vec::new(), detail: Some(Box::new(detail)) }
    }

    /// Says how to fix it, if there is something to say.
    pub(super) fn help(mut self, text: Option<String>) -> Trouble<'a> {
        if text.is_some() {
            self.detail.get_or_insert_default().help = text;
        }
        self
    }

    /// Points to a further place.
    pub(super) fn also(mut self, span: Span, text: impl Into<String>) -> Trouble<'a> {
        self.detail.get_or_insert_default().related = Some((span, text.into()));
        self
    }

    /// The failure that ends the statement.
    pub(super) fn fail<T>(self) -> Parsed<'a, T> {
        Err(nom::Err::Failure(self))
    }

    /// The diagnostic, where `text` is the whole source.
    pub(super) fn diagnostic(mut self, text: &str, source: SourceId) -> Diagnostic {
        let detail = self.detail.take().map(|detail| *detail).unwrap_or_default();
        let message = detail
            .message
            .unwrap_or_else(|| format!("expected {}, found {}", list_of(&self.expected), describe(self.at)));
        let span = span_of(text, source, token(self.at));
        let diagnostic = Diagnostic::error(detail.code.unwrap_or(Code::Syntax), span, message);
        let diagnostic = diagnostic.maybe_help(detail.help);
        match detail.related {
            Some((span, label)) => diagnostic.also(span, label),
            None => diagnostic,
        }
    }
}

/// "a", "a or b", "a, b or c".
fn list_of(expected: &[Cow<'static, str>]) -> String {
    match expected {
        [] => "something else".to_owned(),
        [one] => one.to_string(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// The token at the beginning of a text: a word, or one character.
pub(super) fn token(at: &str) -> &str {
    let dollar = usize::from(at.starts_with('$'));
    let word = at[dollar..].find(|c| !is_word(c)).unwrap_or(at.len() - dollar) + dollar;
    let one = at.chars().next().map_or(0, char::len_utf8);
    &at[..word.max(one)]
}

/// The token as a message names it.
pub(super) fn describe(at: &str) -> String {
    let token = token(at);
    match token.chars().next() {
        None => "the end of the file".to_owned(),
        Some('"') => "a quoted text".to_owned(),
        Some(c) if c.is_control() => format!("the character U+{:04X}", c as u32),
        Some(_) => format!("`{token}`"),
    }
}

/// Whether a character can be part of a word: of a name, keyword, address, or service.
pub(super) fn is_word(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '/' | ':' | '_' => true,
        '{' | '}' | ',' | '#' | '"' | '$' | '=' | ';' => false,
        _ => !c.is_whitespace() && !c.is_control(),
    }
}

/// Skips blanks and comments.
pub(super) fn blank(mut text: &str) -> Parsed<'_, ()> {
    loop {
        text = text.trim_start_matches([' ', '\t', '\r', '\n']);
        match tag::<_, _, Trouble<'_>>("#")(text) {
            Ok(_) => text = take_while::<_, _, Trouble<'_>>(|c| c != '\n')(text)?.0,
            Err(_) => return Ok((text, ())),
        }
    }
}

/// Any word.
pub(super) fn word<'a>(text: &'a str, what: &'static str) -> Parsed<'a, &'a str> {
    match terminated(take_while1(is_word), blank).parse(text) {
        Ok(found) => Ok(found),
        Err(nom::Err::Error(_)) => Err(nom::Err::Error(Trouble::expected(text, what))),
        Err(other) => Err(other),
    }
}

/// The word at the beginning of a text, if there is one, without taking it.
pub(super) fn peek(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    &text[..end]
}

/// A certain word, ended by something that cannot belong to it.
pub(super) fn keyword<'a>(wanted: &'static str) -> impl Fn(&'a str) -> Parsed<'a, &'a str> {
    move |text| match peek(text) == wanted {
        true => word(text, wanted),
        false => Err(nom::Err::Error(Trouble::expected(text, format!("`{wanted}`")))),
    }
}

/// A certain character.
pub(super) fn symbol<'a>(wanted: char) -> impl Fn(&'a str) -> Parsed<'a, &'a str> {
    move |text| match terminated(char::<_, Trouble<'_>>(wanted), blank).parse(text) {
        Ok((rest, _)) => Ok((rest, &text[..wanted.len_utf8()])),
        Err(_) => Err(nom::Err::Error(Trouble::expected(text, format!("`{wanted}`")))),
    }
}

/// A text in quotes, on one line; the quotes belong to it. `\"` and `\\` are a quote and a backslash.
pub(super) fn quoted(text: &str) -> Parsed<'_, &str> {
    let Some(inner) = text.strip_prefix('"') else {
        return Err(nom::Err::Error(Trouble::expected(text, "a quoted text")));
    };
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '\n' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let end = at + 2;
                return blank(&text[end..]).map(|(rest, ())| (rest, &text[..end]));
            }
            _ => {}
        }
    }
    let trouble = Trouble::because(text, Code::Syntax, "the quoted text has no end on its line");
    trouble.help(Some("close it with `\"`".to_owned())).fail()
}

/// A name that the file itself gives: of a policy, a rule, a definition.
pub(super) fn name<'a>(text: &'a str, what: &'static str) -> Parsed<'a, &'a str> {
    if text.starts_with('"') {
        let help = "names are written without quotes".to_owned();
        return Trouble::expected(text, what).help(Some(help)).fail();
    }
    let (rest, found) = word(text, what)?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+' | '@' | '%');
    if found.starts_with(|c: char| c.is_alphanumeric() || c == '_') && found.chars().all(plain) {
        return Ok((rest, found));
    }
    let message = format!("`{}` cannot be {what}", found.escape_debug());
    let help = "a name has letters, digits and `-_./+@%`, and begins with a letter, a digit or `_`";
    Trouble::because(text, Code::Syntax, message).help(Some(help.to_owned())).fail()
}

/// Numbers a slice of the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    /// Its source.
    pub(super) source: SourceId,
}

impl<'a> Places<'a> {
    /// The span of a slice.
    pub(super) fn span(&self, part: &str) -> Span {
        span_of(self.text, self.source, part)
    }

    /// A slice with its place.
    pub(super) fn spanned(&self, part: &'a str) -> Spanned<&'a str> {
        Spanned::new(part, self.span(part))
    }
}
