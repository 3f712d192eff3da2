//! Facts with two readings: what is declared, what a device's own files show, and what nobody said
//! (SEMANTICS.md sections 2.3, 2.6, 3.5 and 7).

use super::names::visible;
use super::spec::{InterfaceSpec, NodeSpec, SourceCheck, Stated};
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::header::Family;
use crate::model::{Antispoof, Fact, InterfaceId, Kind, NodeId, Role, UnknownId};
use crate::source::{Span, Spanned};
use rustc_hash::FxHashSet;

pub(super) fn settle_facts(work: &mut Work) {
    let nodes = std::mem::take(&mut work.nodes);
    let interfaces = std::mem::take(&mut work.interfaces);
    for (index, spec) in nodes.iter().enumerate() {
        let id = NodeId::at(index);
        settle_kind(work, id, spec);
        settle_forwarding(work, id, spec);
        for position in 0..work.network.node(id).interfaces.len() {
            let interface = work.network.node(id).interfaces[position];
            if let Some(own) = interfaces.get(interface.index()) {
                settle_ipv6(work, interface, spec, own);
                settle_antispoof(work, interface, own);
            }
        }
    }
    work.nodes = nodes;
    work.interfaces = interfaces;
}

fn fact(holds: bool) -> Fact {
    if holds { Fact::Yes } else { Fact::No }
}

/// Refuses what a node says of itself against its own files. What it inherits just gives way to them.
fn contradicts(work: &mut Work, what: &str, words: [&str; 2], declared: Span, dumped: Span) {
    let [said, shown] = words;
    let message = format!("{what} is declared `{said}`, but its own files say `{shown}`");
    let conflict = Diagnostic::error(Code::Conflict, declared, message)
        .also(dumped, "the device says so here")
        .help("remove the declaration, or dump the device again");
    work.findings.push(conflict);
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// What holds of what is declared and what is dumped: the dump, if there is one.
fn effective(
    work: &mut Work,
    what: &str,
    declared: Option<Stated<bool>>,
    dumped: Option<Spanned<bool>>,
) -> Option<bool> {
    let (Some(said), Some(shown)) = (declared, dumped) else {
        return dumped.map(|shown| shown.value).or(declared.map(|said| said.value));
    };
    if said.own && said.value != shown.value {
        contradicts(work, what, [on_off(said.value), on_off(shown.value)], said.span, shown.span);
    }
    Some(shown.value)
}

/// Source routing and multicast by the table of the kind, unless the files of the node say something.
fn settle_kind(work: &mut Work, id: NodeId, spec: &NodeSpec) {
    let kind = work.network.node(id).kind.clone();
    let dumped = &spec.dumped;
    let (routes, multicast) = match kind.row() {
        Some(row) => (fact(row.source_routing), fact(row.multicast_forwarding)),
        None => {
            let unknown = unknown_kind(work, id, &kind, spec);
            (Fact::Unknown(unknown), Fact::Unknown(unknown))
        }
    };
    let node = &mut work.network.nodes[id.index()];
    node.source_routing = dumped.source_routing.map_or(routes, |shown| fact(shown.value));
    node.multicast_forwarding = dumped.multicast_forwarding.map_or(multicast, |shown| fact(shown.value));
}

fn unknown_kind(work: &mut Work, id: NodeId, kind: &Kind, spec: &NodeSpec) -> UnknownId {
    let name = work.node_label(id);
    let what = match kind {
        Kind::Unknown(word) if !word.is_empty() => {
            format!("what `{name}`, of the kind `{}`, does with packets", visible(word))
        }
        Kind::Unknown(_) | Kind::Linux => format!("what `{name}`, of no kind, does with packets"),
    };
    let span = spec.kind.as_ref().map_or(spec.name.span, |word| word.span);
    work.unknown(what, span, format!("`kind: linux` on `{name}`, if it is"))
}

/// Whether a node forwards, by its files, its declaration, its role, and the number of its attachments.
fn settle_forwarding(work: &mut Work, id: NodeId, spec: &NodeSpec) {
    let what = format!("`forwarding` of `{}`", work.node_label(id));
    let mut by_role: Option<Fact> = None;
    let mut families = [Fact::No; 2];
    for family in Family::ALL {
        let dumped = spec.dumped.forwarding[family as usize];
        families[family as usize] = match effective(work, &what, spec.forwarding, dumped) {
            Some(holds) => fact(holds),
            None => match by_role {
                Some(known) => known,
                None => *by_role.insert(forwarding_by_role(work, id, spec)),
            },
        };
    }
    work.network.nodes[id.index()].forwarding = families;
}

fn forwarding_by_role(work: &mut Work, id: NodeId, spec: &NodeSpec) -> Fact {
    let node = work.network.node(id);
    if node.role.forwards() {
        return Fact::Yes;
    }
    let interfaces = || node.interfaces.iter().map(|interface| work.network.interface(*interface));
    let segments: FxHashSet<_> = interfaces().filter_map(|interface| interface.segment).collect();
    if node.role == Role::Switch {
        let routed = interfaces().filter(|i| i.vlan.is_some() && !i.addresses.is_empty());
        let vlans: FxHashSet<_> = routed.filter_map(|interface| interface.segment).collect();
        if vlans.len() > 1 {
            return Fact::Yes;
        }
    }
    if segments.len() < 2 {
        return Fact::No;
    }
    let name = work.node_label(id);
    let what = format!("whether `{name}` forwards between its {} segments", segments.len());
    Fact::Unknown(work.unknown(what, spec.name.span, format!("`forwarding: off` on `{name}`")))
}

/// Whether IPv6 certainly does not run on an interface of the description.
pub(super) fn ipv6_is_off(work: &Work, id: InterfaceId) -> bool {
    let interface = work.network.interface(id);
    let (Some(own), Some(node)) = (work.interfaces.get(id.index()), work.nodes.get(interface.node.index()))
    else {
        return false;
    };
    let declared = own.ipv6.map(|own| own.value).or(node.ipv6.map(|node| node.value));
    let has_address = interface.addresses.iter().any(|a| Family::of(a.net.addr()) == Family::V6);
    !has_address && own.dumped.ipv6.map(|shown| shown.value).or(declared) == Some(false)
}

fn settle_ipv6(work: &mut Work, id: InterfaceId, node: &NodeSpec, own: &InterfaceSpec) {
    let label = work.label(id);
    let declared = own.ipv6.map(|said| Stated::own(said.value, said.span)).or(node.ipv6);
    let interface = work.network.interface(id);
    let first =
        interface.addresses.iter().find(|address| Family::of(address.net.addr()) == Family::V6).copied();
    if let Some(address) = first {
        let own_word = declared.filter(|said| said.own && !said.value).map(|said| said.span);
        let off = own_word.or(own.dumped.ipv6.filter(|shown| !shown.value).map(|shown| shown.span));
        if let Some(off) = off {
            let message = format!("IPv6 is off on `{label}`, but it has the address {}", address.net);
            let conflict = Diagnostic::error(Code::Conflict, off, message)
                .also(address.span, "the address is here")
                .help("remove one of them");
            work.findings.push(conflict);
        }
        work.network.interfaces[id.index()].ipv6 = Fact::Yes;
        return;
    }
    let what = format!("`ipv6` of `{label}`");
    let settled = effective(work, &what, declared, own.dumped.ipv6).map(fact);
    // A port of layer 2 receives nothing.
    let is_port = work.network.interface(id).segment.is_none();
    work.network.interfaces[id.index()].ipv6 = match settled {
        Some(known) => known,
        None if is_port => Fact::No,
        None => {
            let what = format!("whether IPv6 runs on `{label}`");
            Fact::Unknown(work.unknown(what, own.name.span, format!("`ipv6: off` on `{label}`")))
        }
    };
}

fn antispoof(check: SourceCheck) -> Antispoof {
    match check {
        SourceCheck::Strict => Antispoof::Strict,
        SourceCheck::Loose => Antispoof::Loose,
        SourceCheck::Off => Antispoof::Off,
    }
}

fn settle_antispoof(work: &mut Work, id: InterfaceId, own: &InterfaceSpec) {
    let mut open: Option<UnknownId> = None;
    for family in Family::ALL {
        let dumped = own.dumped.antispoof[family as usize];
        if let (Some(said), Some(shown)) = (own.antispoof.filter(|said| said.own), dumped)
            && said.value != shown.value
        {
            let what = format!("`antispoof` of `{}`", work.label(id));
            let words = [said.value.word(), shown.value.word()];
            contradicts(work, &what, words, said.span, shown.span);
        }
        let known = dumped.map(|shown| shown.value).or(own.antispoof.map(|said| said.value));
        let receives = work.network.interface(id).segment.is_some();
        work.network.interfaces[id.index()].antispoof[family as usize] = match (known, open) {
            (Some(check), _) => antispoof(check),
            // A port of layer 2 checks nothing.
            (None, _) if !receives => Antispoof::Off,
            (None, Some(unknown)) => Antispoof::Undeclared(unknown),
            (None, None) => {
                let label = work.label(id);
                let settle = format!("`antispoof: strict` on `{label}`");
                let unknown =
                    work.unknown(format!("whether `{label}` checks sources"), own.name.span, settle);
                open = Some(unknown);
                Antispoof::Undeclared(unknown)
            }
        };
    }
}
