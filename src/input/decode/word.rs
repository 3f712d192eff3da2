//! Closed lists of words.

use super::{Definitions, Shape, shorten, text_of};
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::input::yaml::{NodeRef, Plain};
use crate::source::Spanned;
use serde_json::json;

/// A type whose values are words of a table.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// What a message says is wanted.
    const WANTED: &'static str;
    /// The values with their words.
    const TABLE: &'static [(Self, &'static str)];
}

impl<'t, T: Words> Shape<'t> for Spanned<T> {
    const WANTED: &'static str = T::WANTED;

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let listed = || T::TABLE.iter().map(|(_, word)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if let Some(Plain::Bool(value)) = node.scalar().map(|scalar| scalar.plain()) {
            // Tools that read YAML 1.1 write `false` for what was meant as `off`.
            let meant = if value { "on" } else { "off" };
            let help = match T::TABLE.iter().any(|(_, word)| *word == meant) {
                true => format!("write `{meant}`"),
                false => format!("one of {}", listed()),
            };
            let message = format!("expected {}, found the boolean `{value}`", T::WANTED);
            out.push(Diagnostic::error(Code::WrongType, node.span(), message).help(help));
            return None;
        }
        let text = text_of(node, T::WANTED, out)?;
        if let Some((value, _)) = T::TABLE.iter().find(|(_, word)| *word == text.value) {
            return Some(Spanned::new(*value, text.span));
        }
        let help =
            suggest(text.value, T::TABLE.iter().map(|(_, word)| *word)).unwrap_or_else(|| match T::TABLE {
                [(_, only)] => format!("write `{only}`, or leave the key out"),
                _ => format!("one of {}", listed()),
            });
        let message = format!("`{}` is not {}", shorten(text.value), T::WANTED);
        out.push(Diagnostic::error(Code::BadValue, text.span, message).help(help));
        None
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        let words: Vec<_> = T::TABLE.iter().map(|(_, word)| *word).collect();
        json!({ "enum": words })
    }

    fn emit(&self) -> serde_yaml::Value {
        T::TABLE.iter().find(|(value, _)| *value == self.value).map_or("", |(_, word)| *word).into()
    }
}

/// Makes an enum readable by the table of its words.
macro_rules! words {
    ($ty:ty, $wanted:literal, $table:expr) => {
        impl $crate::input::decode::Words for $ty {
            const WANTED: &'static str = $wanted;
            const TABLE: &'static [(Self, &'static str)] = $table;
        }
    };
}
pub(crate) use words;
