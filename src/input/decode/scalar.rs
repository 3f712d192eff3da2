//! Texts, names and flags.

use super::{Definitions, Shape, shorten, wrong_type};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::yaml::{NodeRef, Plain};
use crate::source::Spanned;
use serde_json::json;

/// Number of characters that a name may have.
const NAME_LENGTH_MAX: usize = 255;

/// The text of a scalar that should be text. Numbers count as the text that they are written with; a boolean
/// or nothing does not.
pub(crate) fn text_of<'t>(
    node: NodeRef<'t>,
    wanted: &str,
    out: &mut Diagnostics,
) -> Option<Spanned<&'t str>> {
    let Some(scalar) = node.scalar() else {
        wrong_type(node, wanted, out);
        return None;
    };
    match scalar.plain() {
        Plain::Text | Plain::Integer | Plain::Float => Some(Spanned::new(scalar.text, node.text_span())),
        Plain::Null | Plain::Bool(_) => {
            wrong_type(node, wanted, out);
            None
        }
    }
}

/// Reports a name with characters that names do not have. `:` splits `node:interface`; the others would make
/// selectors and reports ambiguous, and invisible ones would let two names look alike.
pub(crate) fn check_name(name: Spanned<&str>, out: &mut Diagnostics) -> bool {
    let forbidden = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(
                c,
                ':' | '(' | ')' | '{' | '}' | '[' | ']' | ',' | '"' | '\'' | '`' | '#' | '=' | '\\'
            )
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let Spanned { value, span } = name;
    // Most names are of these characters alone.
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    if (1..=NAME_LENGTH_MAX).contains(&value.len()) && value.bytes().all(is_usual) {
        return true;
    }
    if value.is_empty() {
        out.push(Diagnostic::error(Code::BadValue, span, "an empty name").help("name what is meant"));
        return false;
    }
    let problem = match value.chars().find(|c| forbidden(*c)) {
        Some(c) if c.is_whitespace() && !c.is_control() => "a space".to_owned(),
        Some(c) if c.is_ascii_graphic() => format!("the character `{c}`"),
        Some(c) => format!("the invisible character U+{:04X}", u32::from(c)),
        None if value.len() > NAME_LENGTH_MAX => format!("{} bytes", value.len()),
        None => return true,
    };
    out.push(
        Diagnostic::error(Code::BadValue, span, format!("the name `{}` has {problem}", shorten(value)))
            .help(format!("a name has letters, digits and `-_./+@%`, at most {NAME_LENGTH_MAX} bytes")),
    );
    false
}

/// A name of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'t>(pub(crate) Spanned<&'t str>);

impl<'t> Shape<'t> for Name<'t> {
    const WANTED: &'static str = "a name";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let name = text_of(node, Self::WANTED, out)?;
        check_name(name, out).then_some(Name(name))
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        definitions.reference("name", |_| {
            json!({
                "description": "The name of something.",
                "type": ["string", "number"],
                "pattern": "^[^\\s:(){}\\[\\],\"'`#=\\\\]{1,255}$",
            })
        })
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.into()
    }
}

/// Any text, such as a title or a reason.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'t>(pub(crate) Spanned<&'t str>);

impl<'t> Shape<'t> for Text<'t> {
    const WANTED: &'static str = "a text";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let text = text_of(node, Self::WANTED, out)?;
        if text.value.trim().is_empty() {
            out.push(
                Diagnostic::error(Code::BadValue, text.span, "an empty text")
                    .help("write it, or remove the key"),
            );
            return None;
        }
        if let Some(c) = text.value.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t') {
            let message = format!("the control character U+{:04X} in a text", u32::from(c));
            out.push(Diagnostic::error(Code::BadValue, text.span, message).help("remove it"));
            return None;
        }
        Some(Text(text))
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        json!({ "type": ["string", "number"] })
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.into()
    }
}

/// `true`. Keys that take it are left out where they are not so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag(pub(crate) Spanned<bool>);

impl<'t> Shape<'t> for Flag {
    const WANTED: &'static str = "`true` or `false`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        match node.scalar().map(|scalar| scalar.plain()) {
            Some(Plain::Bool(value)) => Some(Flag(Spanned::new(value, node.span()))),
            Some(Plain::Null | Plain::Integer | Plain::Float | Plain::Text) | None => {
                wrong_type(node, Self::WANTED, out);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        json!({ "type": "boolean" })
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.into()
    }
}
