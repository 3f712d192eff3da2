//! The ledger: what every verdict rests on without a claim naming it (SEMANTICS.md section 7).

use super::spec::{NodeSpec, SourceCheck};
use super::work::Work;
use crate::header::Family;
use crate::model::kind::KINDS;
use crate::model::{Existence, LedgerEntry, NodeId, Reading, Role};
use crate::source::Span;

/// Most names that one line lists.
const MOST_NAMES: usize = 8;

pub(super) fn write_ledger(work: &mut Work) {
    let nodes = std::mem::take(&mut work.nodes);
    let mut entries: Vec<LedgerEntry> = open_nodes(work).into_iter().collect();
    entries.extend(kind_defaults(work));
    entries.extend(declared(work, &nodes));
    work.nodes = nodes;
    work.network.ledger.extend(entries);
}

/// How often something is declared, and where first.
#[derive(Default)]
struct Count {
    number: usize,
    first: Option<Span>,
}

impl Count {
    fn add(&mut self, span: Span) {
        self.number += 1;
        self.first = self.first.or(Some(span));
    }

    fn entry(self, text: impl Fn(usize) -> String) -> Option<LedgerEntry> {
        (self.number > 0).then(|| LedgerEntry { text: text(self.number), span: self.first })
    }
}

fn plural(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// The nodes that may forward and have no filter at all.
fn open_nodes(work: &Work) -> Option<LedgerEntry> {
    let network = &work.network;
    let is_open = |id: &NodeId| {
        let node = network.node(*id);
        let may_forward =
            Family::ALL.iter().any(|family| node.forwarding[*family as usize].holds(Reading::May));
        may_forward
            && node.existence == Existence::Described
            && node.role != Role::Internet
            && network.hooks(*id).is_empty()
    };
    let open: Vec<NodeId> = network.nodes_by_id().map(|(id, _)| id).filter(is_open).collect();
    let first = network.node(*open.first()?).span;
    let names: Vec<String> = open.iter().take(MOST_NAMES).map(|id| work.node_label(*id)).collect();
    let more = match open.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "{} without a policy may forward and filter nothing: {}{more}",
        plural(open.len(), "node"),
        names.join(", ")
    );
    Some(LedgerEntry { text, span: Some(first) })
}

/// The table of each kind that some node is of.
fn kind_defaults(work: &Work) -> Vec<LedgerEntry> {
    let described = work
        .network
        .nodes
        .iter()
        .filter(|node| node.existence == Existence::Described && node.role != Role::Internet);
    let entry = |row: &crate::model::kind::KindRow| {
        let users =
            described.clone().filter(|node| node.kind.row().is_some_and(|own| own.word == row.word)).count();
        let effects: Vec<&str> = row.defaults.iter().map(|default| default.effect).collect();
        (users > 0).then(|| LedgerEntry {
            text: format!(
                "kind {}, unless a node's own files say otherwise: {} ({})",
                row.word,
                effects.join(", "),
                plural(users, "node")
            ),
            span: None,
        })
    };
    KINDS.iter().filter_map(entry).collect()
}

/// Declared facts that close something.
fn declared(work: &Work, nodes: &[NodeSpec]) -> Vec<LedgerEntry> {
    let (mut forwarding, mut ipv6_nodes, mut ipv6) = (Count::default(), Count::default(), Count::default());
    for node in nodes {
        if let Some(stated) = node.forwarding.filter(|stated| !stated.value) {
            forwarding.add(stated.span);
        }
        if let Some(stated) = node.ipv6.filter(|stated| !stated.value) {
            ipv6_nodes.add(stated.span);
        }
    }
    let (mut strict, mut loose) = (Count::default(), Count::default());
    let described = work.interfaces.iter().zip(&work.network.interfaces);
    // What is said of a mere port closes nothing.
    for (interface, _) in described.filter(|(_, own)| own.segment.is_some()) {
        if let Some(stated) = interface.ipv6.filter(|stated| !stated.value) {
            ipv6.add(stated.span);
        }
        match interface.antispoof {
            Some(stated) if stated.value == SourceCheck::Strict => strict.add(stated.span),
            Some(stated) if stated.value == SourceCheck::Loose => loose.add(stated.span),
            Some(_) | None => {}
        }
    }
    [
        forwarding.entry(|n| format!("`forwarding: off` is declared on {}", plural(n, "node"))),
        ipv6_nodes.entry(|n| format!("`ipv6: off` is declared on {}", plural(n, "node"))),
        ipv6.entry(|n| format!("`ipv6: off` is declared on {}", plural(n, "interface"))),
        strict.entry(|n| format!("`antispoof: strict` is declared on {}", plural(n, "interface"))),
        loose.entry(|n| format!("`antispoof: loose` is declared on {}", plural(n, "interface"))),
    ]
    .into_iter()
    .flatten()
    .collect()
}
