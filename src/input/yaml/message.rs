//! What is wrong with a text that is not YAML, in words that help.

use crate::diag::{Code, Diagnostic};
use crate::source::{SourceId, Span};

/// What the parser says, what we say, and the way out. The first row whose words occur wins.
const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "recursion limit exceeded",
        "lists and mappings are nested too deeply",
        "no description needs that depth",
    ),
    (
        "unknown anchor",
        "an alias to an anchor that is not defined above",
        "define it with `&` before it is used",
    ),
    (
        "mapping values are not allowed",
        "a `:` where no key can stand",
        "put a text that holds `: ` in quotes, or check the indentation of this line",
    ),
    (
        "invalid indentation in quoted scalar",
        "a quote that is not closed",
        "close it with the same quote that opened it, or indent the lines inside of it",
    ),
    ("tab", "a tab where spaces belong", "indent with spaces"),
    (
        "did not find expected ',' or '}'",
        "a `{` that is not closed, or a missing `,`",
        "check the braces and commas before this place",
    ),
    (
        "expected ',' or ']'",
        "a `[` that is not closed, or a missing `,`",
        "check the brackets and commas before this place",
    ),
    ("unexpected end of stream", "a quote that is not closed", "close it with the same quote that opened it"),
    ("misplaced bracket", "a closing bracket that nothing opened", "remove it, or open it before"),
    ("simple key expect", "a line that is no `key: value`", "check whether a `:` is missing"),
    (
        "did not find expected key",
        "a line that belongs to nothing above it",
        "check its indentation, and whether a `:` is missing",
    ),
    (
        "did not find expected '-' indicator",
        "a line that is no entry of the list above it",
        "begin it with `- `, or check its indentation",
    ),
    ("found unknown escape character", "an unknown escape in a double-quoted text", "use single quotes"),
    ("unexpected character", "a character that no value may begin with", "put the text in quotes"),
    ("indentation", "a line that is indented wrongly", "align it with the lines that it belongs to"),
];

/// An error of the parser.
pub(super) fn syntax(source: SourceId, text: &str, at: usize, info: &str) -> Diagnostic {
    let end = text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8());
    let span = Span::new(source, at, end);
    match MESSAGES.iter().find(|(words, _, _)| info.contains(words)) {
        Some((words, message, help)) => {
            let code = if *words == "recursion limit exceeded" { Code::Limit } else { Code::Syntax };
            Diagnostic::error(code, span, *message).help(*help)
        }
        None => Diagnostic::error(Code::Syntax, span, format!("this is not YAML: {info}")),
    }
}

/// The first character that YAML 1.2 (section 5.1) does not allow in a text, as an error.
pub(super) fn unprintable(source: SourceId, text: &str) -> Option<Diagnostic> {
    // All forbidden characters have one of these bytes, so most texts are passed in one quick run.
    let suspicious = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f;
    let (at, character) = match text.bytes().position(suspicious) {
        Some(at) => (at, char::from(text.as_bytes()[at])),
        None if text.is_ascii() => return None,
        None => text.char_indices().find(|(at, c)| {
            matches!(c, '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
                || (*c == '\u{feff}' && *at > 0)
        })?,
    };
    let message = format!("the control character U+{:04X}", u32::from(character));
    let help = match character {
        '\0' => "the file looks like binary data, or like UTF-16; save it as UTF-8 text",
        _ => "remove it; in a double-quoted text it can be written as an escape",
    };
    Some(
        Diagnostic::error(Code::Syntax, Span::new(source, at, at + character.len_utf8()), message).help(help),
    )
}
