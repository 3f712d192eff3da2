//! Values that may be written in more than one way.

use super::scalar::{InterfaceAddress, PathText};
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::input::decode::{
    Definitions, List, Many, Name, Shape, Text, check_name, found, object, shorten, text_of, wrong_type,
};
use crate::input::yaml::NodeRef;
use crate::model::Assumption;
use crate::source::{Span, Spanned};
use serde_json::json;

/// Key and value words for selectors.
#[derive(Debug, Clone)]
pub(crate) struct Labels<'t>(pub(crate) Vec<(Spanned<&'t str>, Spanned<&'t str>)>);

impl<'t> Shape<'t> for Labels<'t> {
    const WANTED: &'static str = "a mapping from label keys to words";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Some(entries) = node.mapping() else {
            wrong_type(node, Self::WANTED, out);
            return None;
        };
        let mut labels = Vec::new();
        for entry in entries {
            let key = Spanned::new(entry.key, entry.key_span);
            let value = Name::decode(entry.value, out);
            if let (true, Some(Name(value))) = (check_name(key, out), value) {
                labels.push((key, value));
            }
        }
        Some(Labels(labels))
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": Name::schema(definitions) })
    }

    fn emit(&self) -> serde_yaml::Value {
        let pairs = self.0.iter().map(|(key, value)| (key.value.into(), value.value.into()));
        serde_yaml::Value::Mapping(pairs.collect())
    }
}

/// The assumptions, each with its reason.
#[derive(Debug, Clone)]
pub(crate) struct Assume<'t>(pub(crate) Vec<(Assumption, Span, Spanned<&'t str>)>);

impl<'t> Shape<'t> for Assume<'t> {
    const WANTED: &'static str = "a mapping from assumptions to reasons";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Some(entries) = node.mapping() else {
            wrong_type(node, Self::WANTED, out);
            return None;
        };
        let mut assumed = Vec::new();
        for entry in entries {
            let known = Assumption::TABLE.iter().find(|(_, word, _)| *word == entry.key);
            let reason = Text::decode(entry.value, out);
            let Some((assumption, _, _)) = known else {
                let words = || Assumption::TABLE.iter().map(|(_, word, _)| *word);
                let listed = words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                let help = suggest(entry.key, words()).unwrap_or_else(|| format!("one of {listed}"));
                let message = format!("`{}` is not an assumption", shorten(entry.key));
                out.push(Diagnostic::error(Code::UnknownKey, entry.key_span, message).help(help));
                continue;
            };
            if let Some(Text(reason)) = reason {
                assumed.push((*assumption, entry.key_span, reason));
            }
        }
        Some(Assume(assumed))
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        let reason = Text::schema(definitions);
        let properties: serde_json::Map<_, _> = Assumption::TABLE
            .iter()
            .map(|(_, word, passes)| {
                let mut property = reason.clone();
                property["description"] = format!("The reason why this is set aside: {passes}.").into();
                ((*word).to_owned(), property)
            })
            .collect();
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    fn emit(&self) -> serde_yaml::Value {
        let pairs =
            self.0.iter().map(|(assumption, _, reason)| (assumption.word().into(), reason.value.into()));
        serde_yaml::Value::Mapping(pairs.collect())
    }
}

/// IPv6 of an interface.
#[derive(Debug, Clone)]
pub(crate) enum Ipv6<'t> {
    /// It does not run there.
    Off(Span),
    /// Its addresses.
    Addresses(Many<'t, InterfaceAddress<true>>),
}

impl<'t> Shape<'t> for Ipv6<'t> {
    const WANTED: &'static str = "IPv6 addresses with a length, or `off`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        match node.scalar() {
            Some(scalar) if scalar.text == "off" => Some(Ipv6::Off(node.span())),
            Some(scalar) if scalar.plain() == crate::input::yaml::Plain::Bool(false) => {
                let message = format!("expected {}, found {}", Self::WANTED, found(node));
                out.push(Diagnostic::error(Code::WrongType, node.span(), message).help("write `off`"));
                None
            }
            Some(_) | None => Many::decode(node, out).map(Ipv6::Addresses),
        }
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        let addresses = Many::<InterfaceAddress<true>>::schema(definitions);
        json!({ "anyOf": [{ "const": "off" }, addresses] })
    }

    fn emit(&self) -> serde_yaml::Value {
        match self {
            Ipv6::Off(_) => "off".into(),
            Ipv6::Addresses(addresses) => addresses.emit(),
        }
    }
}

/// The VLANs of a trunk.
#[derive(Debug, Clone)]
pub(crate) enum TagList<'t> {
    /// The other end may choose.
    Auto(Span),
    /// Exactly these.
    Names(List<'t, Name<'t>>),
}

impl<'t> Shape<'t> for TagList<'t> {
    const WANTED: &'static str = "a list of VLANs, or `auto`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        match node.scalar() {
            Some(scalar) if scalar.text == "auto" => Some(TagList::Auto(node.span())),
            Some(_) => {
                wrong_type(node, Self::WANTED, out);
                None
            }
            None => List::decode(node, out).map(TagList::Names),
        }
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        let names = List::<Name<'_>>::schema(definitions);
        json!({ "anyOf": [{ "const": "auto" }, names] })
    }

    fn emit(&self) -> serde_yaml::Value {
        match self {
            TagList::Auto(_) => "auto".into(),
            TagList::Names(names) => names.emit(),
        }
    }
}

object! {
    /// A policy by file and name.
    PolicyBoth ("a policy", "policy-place") {
        file: PathText<'t> = "file", required, "the file that holds it";
        name: Name<'t> = "name", required, "its name in the file";
    }
}

/// Which policy binds a node.
#[derive(Debug, Clone)]
pub(crate) enum PolicyPlace<'t> {
    /// The one that is called as the node, in this file.
    File(PathText<'t>),
    /// One by file and name.
    Both(Box<PolicyBoth<'t>>),
}

impl<'t> Shape<'t> for PolicyPlace<'t> {
    const WANTED: &'static str = "a file of policies, or `{ file, name }`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        match node.mapping() {
            Some(_) => PolicyBoth::decode(node, out).map(|both| PolicyPlace::Both(both.into())),
            None => PathText::decode(node, out).map(PolicyPlace::File),
        }
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        json!({ "anyOf": [PathText::schema(definitions), PolicyBoth::schema(definitions)] })
    }

    fn emit(&self) -> serde_yaml::Value {
        match self {
            PolicyPlace::File(file) => file.emit(),
            PolicyPlace::Both(both) => both.emit(),
        }
    }
}

/// Which list binds an interface.
#[derive(Debug, Clone)]
pub(crate) enum PolicyName<'t> {
    /// One of the file that the node's own policy is in.
    Name(Spanned<&'t str>),
    /// One by file and name.
    Both(Box<PolicyBoth<'t>>),
}

impl<'t> Shape<'t> for PolicyName<'t> {
    const WANTED: &'static str = "the name of a policy, or `{ file, name }`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        match node.mapping() {
            Some(_) => PolicyBoth::decode(node, out).map(|both| PolicyName::Both(both.into())),
            None => {
                let name = text_of(node, Self::WANTED, out)?;
                check_name(name, out).then_some(PolicyName::Name(name))
            }
        }
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        json!({ "anyOf": [Name::schema(definitions), PolicyBoth::schema(definitions)] })
    }

    fn emit(&self) -> serde_yaml::Value {
        match self {
            PolicyName::Name(name) => name.value.into(),
            PolicyName::Both(both) => both.emit(),
        }
    }
}
