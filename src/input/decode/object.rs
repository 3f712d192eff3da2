//! Mappings with known keys: one table each.

use super::{shorten, wrong_type};
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::input::yaml::{Entry, NodeRef};

/// A row of the table of an object, without its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// The key.
    pub(crate) name: &'static str,
    /// Whether the object must have it.
    pub(crate) required: bool,
    /// What it means.
    pub(crate) help: &'static str,
}

/// Reads the entries of a mapping, reporting what is no key of its table.
pub(crate) struct MappingReader<'k> {
    /// What the object is: "a node".
    pub(crate) what: &'static str,
    /// Its keys.
    pub(crate) keys: &'k [Key],
    /// Keys of the language that are not built yet, each with what it is about.
    pub(crate) refused: &'k [(&'static str, &'static str)],
}

impl MappingReader<'_> {
    /// The entries of a node, which should be a mapping.
    pub(crate) fn entries<'t>(
        &self,
        node: NodeRef<'t>,
        out: &mut Diagnostics,
    ) -> Option<impl Iterator<Item = Entry<'t>> + use<'t>> {
        let entries = node.mapping();
        if entries.is_none() {
            wrong_type(node, &format!("{} (a mapping)", self.what), out);
        }
        entries
    }

    /// Reports a key that is in no row.
    pub(crate) fn unknown(&self, entry: Entry<'_>, out: &mut Diagnostics) {
        let key = shorten(entry.key);
        if let Some((_, about)) = self.refused.iter().find(|(name, _)| *name == entry.key) {
            let message = format!("`{key}` is not built yet: {about}");
            let help = "remove it; a verdict must not seem to take it into account";
            return out.push(Diagnostic::error(Code::NotBuilt, entry.key_span, message).help(help));
        }
        let names = || self.keys.iter().map(|key| key.name);
        let listed = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = suggest(entry.key, names()).unwrap_or_else(|| match listed.is_empty() {
            true => format!("{} has no keys", self.what),
            false => format!("the keys of {} are {listed}", self.what),
        });
        let message = format!("{} has no key `{key}`", self.what);
        out.push(Diagnostic::error(Code::UnknownKey, entry.key_span, message).help(help));
    }

    /// Reports a key that must be there and is not.
    pub(crate) fn missing(&self, name: &str, node: NodeRef<'_>, out: &mut Diagnostics) {
        let help = self.keys.iter().find(|key| key.name == name).map(|key| format!("`{name}`: {}", key.help));
        let message = format!("{} must have the key `{name}`", self.what);
        out.push(Diagnostic::error(Code::MissingKey, node.span(), message).maybe_help(help));
    }

    /// The schema of the object from those of its properties, in the order of the keys.
    pub(crate) fn schema(
        &self,
        doc: &str,
        properties: Vec<(&'static str, serde_json::Value)>,
    ) -> serde_json::Value {
        let required: Vec<_> = self.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut described = serde_json::Map::new();
        for (name, mut property) in properties {
            let help = self.keys.iter().find(|key| key.name == name).map_or("", |key| key.help);
            if let Some(object) = property.as_object_mut() {
                object.insert("description".to_owned(), help.into());
            }
            described.insert(name.to_owned(), property);
        }
        let mut schema = serde_json::json!({
            "description": doc.trim(),
            "type": "object",
            "properties": described,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }
}

/// Defines an object of the description from the table of its keys.
///
/// ```text
/// object! {
///     /// What it is.
///     Site ("a site", "site") {
///         jurisdiction: Country = "jurisdiction", optional, "the country that it stands in";
///     }
///     refused { "geo": "places by coordinates" }
/// }
/// ```
macro_rules! object {
    (@required optional) => { false };
    (@required required) => { true };
    (
        #[doc = $doc:literal]
        $name:ident ($what:literal, $definition:literal) {
            $($field:ident: $ty:ty = $key:literal, $need:ident, $help:literal;)*
        }
        $(refused { $($refused:literal: $about:literal),* $(,)? })?
    ) => {
        #[doc = $doc]
        #[derive(Debug, Clone)]
        pub(crate) struct $name<'t> {
            /// The mapping itself.
            #[allow(dead_code, reason = "not every object is asked for its place")]
            pub(crate) node: $crate::input::yaml::NodeRef<'t>,
            /// Whether a key of it could not be used, so that what seems missing may only be misspelt.
            #[allow(dead_code, reason = "not every object is asked whether it is whole")]
            pub(crate) broken: bool,
            $(#[doc = $help] pub(crate) $field: Option<$ty>,)*
        }

        impl $name<'_> {
            const READER: $crate::input::decode::MappingReader<'static> =
                $crate::input::decode::MappingReader {
                    what: $what,
                    keys: &[$($crate::input::decode::Key {
                        name: $key,
                        required: $crate::input::decode::object!(@required $need),
                        help: $help,
                    },)*],
                    refused: &[$($(($refused, $about)),*)?],
                };
        }

        impl<'t> $crate::input::decode::Shape<'t> for $name<'t> {
            const WANTED: &'static str = $what;

            fn decode(
                node: $crate::input::yaml::NodeRef<'t>,
                out: &mut $crate::diag::Diagnostics,
            ) -> Option<Self> {
                let mut read = $name { node, broken: false, $($field: None,)* };
                for entry in Self::READER.entries(node, out)? {
                    match entry.key {
                        $($key => {
                            read.$field = $crate::input::decode::Shape::decode(entry.value, out);
                            read.broken |= read.$field.is_none();
                        })*
                        _ => {
                            Self::READER.unknown(entry, out);
                            read.broken = true;
                        }
                    }
                }
                // A key that is there but could not be used was reported already.
                $(if $crate::input::decode::object!(@required $need) && read.$field.is_none() && !read.broken {
                    Self::READER.missing($key, node, out);
                    read.broken = true;
                })*
                Some(read)
            }

            fn schema(definitions: &mut $crate::input::decode::Definitions) -> serde_json::Value {
                definitions.reference($definition, |_definitions| {
                    let properties = vec![$(
                        ($key, <$ty as $crate::input::decode::Shape<'t>>::schema(_definitions)),
                    )*];
                    Self::READER.schema($doc, properties)
                })
            }

            fn emit(&self) -> serde_yaml::Value {
                #[allow(unused_mut, reason = "an object without keys adds nothing")]
                let mut mapping = serde_yaml::Mapping::new();
                $(if let Some(value) = &self.$field {
                    mapping.insert($key.into(), $crate::input::decode::Shape::emit(value));
                })*
                serde_yaml::Value::Mapping(mapping)
            }
        }
    };
}
pub(crate) use object;
