//! Which errors of later steps may only follow from errors that were reported already.

use crate::diag::{Code, Diagnostic, Diagnostics, Severity};
use crate::input::decode::{List, Named};
use crate::input::topology::merge::Merged;
use crate::input::topology::scalar::End;
use crate::input::topology::syntax::Interface;
use crate::source::{Span, Spanned};
use std::collections::HashSet;

/// What could not be read, and so cannot be missed.
pub(crate) struct Doubtful {
    /// Whether whole sections may be missing, so that no name can be called undeclared.
    sections: bool,
    /// Nodes of which something could not be read.
    nodes: Vec<Span>,
    /// Places that refer to such nodes, or that were reported already.
    places: HashSet<Span>,
}

/// Whether an end of a link could not be read.
fn lost_ends(ends: &Option<List<'_, Spanned<End<'_>>>>) -> bool {
    ends.as_ref().is_none_or(|list| list.node.sequence().is_none_or(|items| items.len() > list.items.len()))
}

impl Doubtful {
    /// Judges by what was reported so far.
    pub(crate) fn new(merged: &Merged<'_>, reported: &Diagnostics) -> Doubtful {
        let mut doubtful = Doubtful { sections: merged.broken, nodes: Vec::new(), places: HashSet::new() };
        if !reported.has_errors() {
            return doubtful;
        }
        doubtful.places.extend(reported.iter().filter_map(|diagnostic| diagnostic.span));
        let mut names: HashSet<&str> = HashSet::new();
        for entry in &merged.nodes {
            let lost = entry.value.as_ref().is_none_or(|node| {
                let interfaces = node.interfaces.iter().flat_map(|map| &map.entries);
                let lost = |named: &Named<'_, Interface<'_>>| {
                    named.value.as_ref().is_none_or(|interface| interface.broken)
                };
                node.broken || interfaces.into_iter().any(lost)
            });
            if lost {
                names.insert(entry.name.value);
                doubtful.places.insert(entry.name.span);
                doubtful.nodes.extend(entry.value.as_ref().map(|node| node.node.span()));
            }
        }
        let links = merged.links.iter().flat_map(|link| &link.endpoints);
        let tunnels = merged.tunnels.iter().filter_map(|entry| entry.value.as_ref());
        let ends = links.chain(tunnels.flat_map(|tunnel| &tunnel.endpoints)).flat_map(|list| &list.items);
        doubtful.places.extend(
            merged.links.iter().filter(|link| lost_ends(&link.endpoints)).map(|link| link.node.span()),
        );
        for entry in &merged.tunnels {
            let lost = entry.value.as_ref().is_none_or(|tunnel| lost_ends(&tunnel.endpoints));
            doubtful.places.extend(lost.then_some(entry.name.span));
        }
        for end in ends {
            if let End::Interface { node, interface } = end.value {
                if names.contains(node.value) {
                    doubtful.places.extend([end.span, node.span, interface.span]);
                }
            }
        }
        doubtful
    }

    /// Whether an error may only follow from what was reported.
    fn follows(&self, diagnostic: &Diagnostic) -> bool {
        let Some(span) = diagnostic.span else { return false };
        let inside =
            |node: &Span| node.source == span.source && node.start <= span.start && span.end <= node.end;
        (self.sections && diagnostic.code == Code::UnknownName)
            || self.places.contains(&span)
            || (self.nodes.iter().any(inside) && diagnostic.code != Code::UnknownName)
    }

    /// Adds what a later step found, less what may only follow from earlier errors.
    pub(crate) fn keep(&self, found: Diagnostics, out: &mut Diagnostics) {
        for diagnostic in found.sorted() {
            if diagnostic.severity == Severity::Warning || !self.follows(&diagnostic) {
                out.push(diagnostic);
            }
        }
    }
}
