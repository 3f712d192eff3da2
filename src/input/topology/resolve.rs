//! The description written out: after includes, groups and defaults.

use super::merge::Merged;
use super::settle::Settled;
use super::syntax::Node;
use super::variant::Assume;
use crate::input::decode::{Named, Shape};
use serde_yaml::{Mapping, Value};

/// The description as YAML, its keys in the order of the format.
pub(crate) fn resolved(merged: &Merged<'_>, nodes: &[Settled<'_, '_>]) -> Value {
    let mut document = Mapping::new();
    document.insert("isoaudit".into(), 1.into());
    if let Some(name) = merged.name {
        document.insert("name".into(), name.value.into());
    }
    if let Some(cabling) = &merged.cabling {
        document.insert("cabling".into(), cabling.emit());
    }
    section(&mut document, "sites", named(&merged.sites));
    section(&mut document, "zones", named(&merged.zones));
    section(&mut document, "vlans", named(&merged.vlans));
    section(&mut document, "vrfs", named(&merged.vrfs));
    // A device's own files beat its group and the defaults, and contradict what the node says of itself. So what
    // is inherited stays inherited where there are such files.
    if nodes.iter().any(|node| node.node.config.is_some()) {
        section(&mut document, "groups", named(&merged.groups));
        if let Some(defaults) = &merged.defaults {
            document.insert("defaults".into(), defaults.emit());
        }
    }
    if !merged.assume.is_empty() {
        document.insert("assume".into(), Assume(merged.assume.clone()).emit());
    }
    let nodes = nodes.iter().map(|node| (node.name.value.into(), written(node).emit()));
    section(&mut document, "nodes", nodes.collect());
    list(&mut document, "links", &merged.links);
    section(&mut document, "tunnels", named(&merged.tunnels));
    list(&mut document, "claims", &merged.claims);
    Value::Mapping(document)
}

fn written<'t>(node: &Settled<'_, 't>) -> Node<'t> {
    if node.node.config.is_some() { node.node.clone() } else { node.written_out() }
}

fn section(document: &mut Mapping, key: &str, entries: Mapping) {
    if !entries.is_empty() {
        document.insert(key.into(), Value::Mapping(entries));
    }
}

fn named<'t, T: Shape<'t>>(entries: &[Named<'t, T>]) -> Mapping {
    let written =
        entries.iter().filter_map(|entry| Some((entry.name.value.into(), entry.value.as_ref()?.emit())));
    written.collect()
}

fn list<'t, T: Shape<'t>>(document: &mut Mapping, key: &str, items: &[T]) {
    if !items.is_empty() {
        document.insert(key.into(), Value::Sequence(items.iter().map(T::emit).collect()));
    }
}
