//! From a YAML tree to typed declarations, by tables.
//!
//! Each object of the description is one table of keys ([`object!`]): name, type and meaning. The table gives
//! the type, the reader with its errors and suggestions, the JSON Schema and the writer of `resolve`, so
//! that none of them can say something else than the others.
//!
//! A reader reports everything that is wrong below a node and gives what can be used, so that one run finds
//! the errors of all entries. What it could not use leaves a mark (`broken`), by which later steps tell
//! a name that is missing from one that was lost.

mod collection;
mod object;
mod scalar;
mod word;

pub(crate) use collection::{List, Many, Map, Named};
pub(crate) use object::{Key, MappingReader, object};
pub(crate) use scalar::{Flag, Name, Text, check_name, text_of};
pub(crate) use word::{Words, words};

use super::yaml::{NodeRef, Plain};
use crate::diag::{Code, Diagnostic, Diagnostics};
use std::collections::BTreeMap;

/// A type that YAML can be read into.
pub(crate) trait Shape<'t>: Sized {
    /// What a message says is wanted: "a list", "an address with a length".
    const WANTED: &'static str;

    /// Reads a node. Whatever is wrong is reported; `None` if nothing can be used.
    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self>;

    /// The JSON Schema of what is accepted.
    fn schema(definitions: &mut Definitions) -> serde_json::Value;

    /// As YAML again, in the order of the tables.
    fn emit(&self) -> serde_yaml::Value;
}

/// The named parts of a JSON Schema, by name.
#[derive(Debug, Default)]
pub(crate) struct Definitions(BTreeMap<&'static str, serde_json::Value>);

impl Definitions {
    /// A reference to a part, which `make` gives if it is not there yet.
    pub(crate) fn reference(
        &mut self,
        name: &'static str,
        make: impl FnOnce(&mut Definitions) -> serde_json::Value,
    ) -> serde_json::Value {
        if !self.0.contains_key(name) {
            self.0.insert(name, serde_json::Value::Null);
            let value = make(self);
            self.0.insert(name, value);
        }
        serde_json::json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// All parts as the value of `$defs`.
    pub(crate) fn into_value(self) -> serde_json::Value {
        self.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// "found …": what stands at a node, in words.
pub(crate) fn found(node: NodeRef<'_>) -> String {
    let Some(scalar) = node.scalar() else {
        return if node.sequence().is_some() { "a list" } else { "a mapping" }.to_owned();
    };
    match scalar.plain() {
        Plain::Null => "nothing".to_owned(),
        Plain::Bool(value) => format!("the boolean `{value}`"),
        Plain::Integer | Plain::Float => format!("the number `{}`", shorten(scalar.text)),
        Plain::Text => format!("the text `{}`", shorten(scalar.text)),
    }
}

/// A text that is quoted in a message: its beginning if it is long, without control characters.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => text[..cut].chars().map(clean).chain(['…']).collect(),
        None => text.chars().map(clean).collect(),
    }
}

/// Reports that a node is not what is wanted.
pub(crate) fn wrong_type(node: NodeRef<'_>, wanted: &str, out: &mut Diagnostics) {
    let message = format!("expected {wanted}, found {}", found(node));
    let is_nothing = node.scalar().is_some_and(|scalar| scalar.plain() == Plain::Null);
    let help = match is_nothing {
        true if wanted.starts_with("a list") => {
            Some("write `[]` if there is none, or remove the key".to_owned())
        }
        true if wanted.contains("mapping") => Some("write `{}` if there is nothing to say".to_owned()),
        true => Some("write the value, or remove the key".to_owned()),
        false => None,
    };
    out.push(Diagnostic::error(Code::WrongType, node.span(), message).maybe_help(help));
}
