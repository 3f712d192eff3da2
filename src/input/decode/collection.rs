//! Lists, and mappings whose keys are names.

use super::scalar::check_name;
use super::{Definitions, Shape, wrong_type};
use crate::diag::Diagnostics;
use crate::input::yaml::NodeRef;
use crate::source::Spanned;
use serde_json::json;

/// A list.
#[derive(Debug, Clone)]
pub(crate) struct List<'t, T> {
    /// The list itself.
    pub(crate) node: NodeRef<'t>,
    /// What could be used of it, in order.
    pub(crate) items: Vec<T>,
}

impl<'t, T: Shape<'t>> Shape<'t> for List<'t, T> {
    const WANTED: &'static str = "a list";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Some(nodes) = node.sequence() else {
            wrong_type(node, &format!("a list, each entry {}", T::WANTED), out);
            return None;
        };
        let mut items = Vec::with_capacity(nodes.len());
        items.extend(nodes.filter_map(|node| T::decode(node, out)));
        Some(List { node, items })
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        json!({ "type": "array", "items": T::schema(definitions) })
    }

    fn emit(&self) -> serde_yaml::Value {
        serde_yaml::Value::Sequence(self.items.iter().map(T::emit).collect())
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone)]
pub(crate) struct Many<'t, T> {
    /// The value or the list.
    pub(crate) node: NodeRef<'t>,
    /// What could be used of it, in order.
    pub(crate) items: Vec<T>,
}

impl<'t, T: Shape<'t>> Shape<'t> for Many<'t, T> {
    const WANTED: &'static str = T::WANTED;

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let items: Vec<T> = match node.sequence() {
            Some(nodes) => nodes.filter_map(|node| T::decode(node, out)).collect(),
            None => vec![T::decode(node, out)?],
        };
        Some(Many { node, items })
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        let one = T::schema(definitions);
        json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] })
    }

    fn emit(&self) -> serde_yaml::Value {
        match &self.items[..] {
            [one] => one.emit(),
            items => serde_yaml::Value::Sequence(items.iter().map(T::emit).collect()),
        }
    }
}

/// A named entry of a [`Map`].
#[derive(Debug, Clone)]
pub(crate) struct Named<'t, T> {
    /// The key.
    pub(crate) name: Spanned<&'t str>,
    /// The value, if it could be used. The name counts as declared even if it could not.
    pub(crate) value: Option<T>,
}

/// A mapping from names to things of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Map<'t, T> {
    /// The entries in the order written.
    pub(crate) entries: Vec<Named<'t, T>>,
}

impl<'t, T: Shape<'t>> Shape<'t> for Map<'t, T> {
    const WANTED: &'static str = "a mapping from names";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Some(entries) = node.mapping() else {
            wrong_type(node, &format!("a mapping from names, each to {}", T::WANTED), out);
            return None;
        };
        let entries = entries.map(|entry| {
            let name = Spanned::new(entry.key, entry.key_span);
            check_name(name, out);
            Named { name, value: T::decode(entry.value, out) }
        });
        Some(Map { entries: entries.collect() })
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": T::schema(definitions) })
    }

    fn emit(&self) -> serde_yaml::Value {
        let pairs = self.entries.iter().filter_map(|entry| {
            let value = entry.value.as_ref()?;
            Some((entry.name.value.into(), value.emit()))
        });
        serde_yaml::Value::Mapping(pairs.collect())
    }
}
