//! Words of a line of `iptables-save`, with their places.
//!
//! The quoting is that of `iptables-restore` (iptables, `xshared.c`, `add_param_to_argv`): words end at blanks;
//! double quotes keep blanks, and inside them a backslash takes the next character as it is.

use crate::diag::{Code, Diagnostic};
use crate::source::{SourceId, Span};
use nom::branch::alt;
use nom::bytes::complete::{escaped_transform, is_not, tag, take_while, take_while1};
use nom::character::complete::anychar;
use nom::combinator::{cut, map, opt};
use nom::multi::fold_many1;
use nom::sequence::delimited;
use nom::{IResult, Parser};
use std::borrow::Cow;

/// How many bytes one line may have; `iptables-restore` refuses more than 10,240.
pub(super) const LINE_BYTES_MAX: usize = 64 << 10;

/// A word of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    /// Its text, without quotes and escapes.
    pub(super) text: Cow<'a, str>,
    /// Its place, with quotes.
    pub(super) span: Span,
    /// Whether any of it stood in quotes: then it is never an option.
    pub(super) quoted: bool,
}

impl Token<'_> {
    /// Whether it is this word, without quotes.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }

    /// Whether it begins an option, or turns the next one round.
    pub(super) fn is_option(&self) -> bool {
        !self.quoted && (self.text.starts_with('-') || self.text == "!")
    }
}

/// Part of a word: its text, and whether it stood in quotes.
type Piece<'a> = (Cow<'a, str>, bool);

fn quoted(input: &str) -> IResult<&str, Piece<'_>> {
    let text = opt(escaped_transform(is_not("\\\""), '\\', anychar));
    let inside = delimited(tag("\""), text, cut(tag("\"")));
    map(inside, |text: Option<String>| (Cow::Owned(text.unwrap_or_default()), true)).parse(input)
}

fn bare(input: &str) -> IResult<&str, Piece<'_>> {
    let text = take_while1(|c: char| c != '"' && !c.is_ascii_whitespace());
    map(text, |text| (Cow::Borrowed(text), false)).parse(input)
}

fn word(input: &str) -> IResult<&str, Piece<'_>> {
    let none = || (Cow::Borrowed(""), false);
    fold_many1(alt((bare, quoted)), none, |(so_far, was): Piece<'_>, (text, is)| match so_far.is_empty() {
        true => (text, was || is),
        false => (Cow::Owned(so_far.into_owned() + &text), was || is),
    })
    .parse(input)
}

fn blanks(input: &str) -> IResult<&str, &str> {
    take_while(|c: char| c.is_ascii_whitespace()).parse(input)
}

/// The words of a line that begins at a byte of the source.
pub(super) fn tokens(line: &str, source: SourceId, start: usize) -> Result<Vec<Token<'_>>, Diagnostic> {
    let whole = Span::new(source, start, start + line.len());
    if line.len() > LINE_BYTES_MAX {
        let message = format!("a line of more than {LINE_BYTES_MAX} bytes");
        return Err(Diagnostic::error(Code::Limit, whole, message));
    }
    if let Some(at) = line.find(|c: char| c.is_control() && c != '\t') {
        let place = Span::new(source, start + at, start + at + 1);
        return Err(Diagnostic::error(Code::Dump, place, "a control character in a dump of rules"));
    }
    let mut words = Vec::new();
    let mut rest = blanks(line).map_or(line, |(rest, _)| rest);
    while !rest.is_empty() {
        let from = start + line.len() - rest.len();
        let Ok((behind, (text, quoted))) = word(rest) else {
            let place = Span::new(source, from, start + line.len());
            return Err(Diagnostic::error(Code::Dump, place, "a double quote that is never closed"));
        };
        let span = Span::new(source, from, start + line.len() - behind.len());
        words.push(Token { text, span, quoted });
        rest = blanks(behind).map_or(behind, |(rest, _)| rest);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(line: &str) -> Vec<(String, bool)> {
        let words = tokens(line, SourceId(0), 0).unwrap();
        words.into_iter().map(|word| (word.text.into_owned(), word.quoted)).collect()
    }

    #[test]
    fn quotes_and_escapes_are_those_of_iptables_restore() {
        let bare = |text: &str| (text.to_owned(), false);
        let quoted = |text: &str| (text.to_owned(), true);
        assert_eq!(texts("-A  x\t-j y"), [bare("-A"), bare("x"), bare("-j"), bare("y")]);
        assert_eq!(texts(r#"--comment "a \"b\" \\ c""#), [bare("--comment"), quoted(r#"a "b" \ c"#)]);
        assert_eq!(texts(r#"x"y z"w "" 'q r'"#), [quoted("xy zw"), quoted(""), bare("'q"), bare("r'")]);
        assert_eq!(texts(r"a\b"), [bare(r"a\b")]);
        assert!(tokens("-j \"x", SourceId(0), 0).unwrap_err().message.contains("never closed"));
        assert!(tokens("\"x\\", SourceId(0), 0).unwrap_err().message.contains("never closed"));
        assert!(tokens("a\u{1b}[2J", SourceId(0), 0).unwrap_err().message.contains("control character"));
    }

    proptest! {
        #[test]
        fn every_visible_byte_is_in_one_word(line in "[ \ta\"\\\\é!-]{0,24}") {
            if let Ok(words) = tokens(&line, SourceId(0), 0) {
                let covers = |span: Span, at: usize| (span.start as usize..span.end as usize).contains(&at);
                let inside = |at: usize| words.iter().filter(|w| covers(w.span, at)).count();
                for (at, byte) in line.bytes().enumerate() {
                    let expected = usize::from(!byte.is_ascii_whitespace());
                    prop_assert!(inside(at) == expected || (expected == 0 && inside(at) == 1), "{} in {}", at, line);
                }
            }
        }
    }
}
