//! Links and tunnels: which interfaces they end at.

use super::names::visible;
use super::node::{INTERNET, check_country};
use super::spec::{EndSpec, TunnelSpec};
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::header::Family;
use crate::model::{Existence, Fact, InterfaceId, NodeId, Role, TunnelId};
use crate::source::{Span, Spanned};

/// Something that joins the interfaces at its ends: a link, or an interface that nothing is plugged into.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    /// Where it comes from.
    pub(super) span: Span,
    /// The interfaces at its ends.
    pub(super) ends: Vec<InterfaceId>,
    /// The position of its link, if it is one.
    pub(super) link: Option<usize>,
    /// Whether a cable that nobody described could be plugged in.
    pub(super) is_open: bool,
}

/// What the interfaces are plugged into.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    /// One for each link, in order.
    pub(super) wires: Vec<Wire>,
    /// By interface, the position of the wire that it ends.
    pub(super) wire_of: Vec<Option<usize>>,
    /// By interface, the tunnel that it ends.
    pub(super) tunnel_of: Vec<Option<TunnelId>>,
    /// By tunnel, the interfaces at its ends.
    pub(super) tunnels: Vec<Vec<InterfaceId>>,
}

pub(super) fn resolve_links(work: &mut Work) -> Wiring {
    let count = work.network.interfaces.len();
    let mut resolver = Resolver {
        wiring: Wiring { wire_of: vec![None; count], tunnel_of: vec![None; count], ..Wiring::default() },
        uses: vec![None; count],
        internet: None,
    };
    for index in 0..work.links.len() {
        resolver.link(work, index);
    }
    let tunnels = std::mem::take(&mut work.tunnels);
    for (index, tunnel) in tunnels.iter().enumerate() {
        let ends = resolver.tunnel(work, TunnelId::at(index), tunnel);
        resolver.wiring.tunnels.push(ends);
    }
    work.tunnels = tunnels;
    resolver.wiring
}

struct Resolver {
    wiring: Wiring,
    /// By interface, where it was named as an end first.
    uses: Vec<Option<Span>>,
    internet: Option<NodeId>,
}

impl Resolver {
    fn link(&mut self, work: &mut Work, index: usize) {
        let link = work.links[index].clone();
        for country in link.transit.iter().flatten() {
            check_country(work, country);
        }
        let mut wire = Wire { span: link.span, ends: Vec::new(), link: Some(index), is_open: false };
        let mut to_internet: Option<Span> = None;
        for end in &link.endpoints {
            match end {
                EndSpec::Internet(span) => match to_internet {
                    Some(first) => twice(work, *span, first, INTERNET),
                    None => {
                        to_internet = Some(*span);
                        wire.ends.push(self.internet_end(work, *span));
                    }
                },
                EndSpec::Interface { node, interface, span } => {
                    let Some(id) = find_end(work, node, interface) else { continue };
                    if !self.is_free(work, id, *span, &wire) {
                        continue;
                    }
                    self.uses[id.index()] = Some(*span);
                    wire.ends.push(id);
                }
            }
        }
        if link.endpoints.len() < 2 {
            let help = "name two or more; an interface without a link is a segment of its own";
            work.findings.error(Code::Link, link.span, "the link has fewer than two ends", help);
        }
        let position = self.wiring.wires.len();
        for end in &wire.ends {
            self.wiring.wire_of[end.index()] = Some(position);
        }
        self.wiring.wires.push(wire);
    }

    /// Whether nothing else ends at an interface.
    fn is_free(&self, work: &mut Work, id: InterfaceId, span: Span, wire: &Wire) -> bool {
        let Some(first) = self.uses[id.index()] else { return true };
        let name = work.label(id);
        if wire.ends.contains(&id) {
            twice(work, span, first, &name);
            return false;
        }
        let message = format!("`{name}` is an end of two links or tunnels");
        let help = "an interface has one plug: a segment with more ends is one link with more endpoints";
        let taken = Diagnostic::error(Code::Link, span, message).also(first, "it ends here too").help(help);
        work.findings.push(taken);
        false
    }

    /// A new interface of the built-in place.
    fn internet_end(&mut self, work: &mut Work, span: Span) -> InterfaceId {
        let node = match self.internet {
            Some(node) => node,
            None => {
                let node = work.add_node(INTERNET.to_owned(), span, Role::Internet, Existence::Described);
                work.network.nodes[node.index()].forwarding = [Fact::Yes; 2];
                self.internet = Some(node);
                node
            }
        };
        let number = work.network.node(node).interfaces.len() + 1;
        let id = work.add_interface(node, format!("link{number}"), span);
        work.network.interfaces[id.index()].ipv6 = Fact::Yes;
        self.wiring.wire_of.push(None);
        self.wiring.tunnel_of.push(None);
        self.uses.push(Some(span));
        id
    }

    fn tunnel(&mut self, work: &mut Work, id: TunnelId, tunnel: &TunnelSpec) -> Vec<InterfaceId> {
        let name = visible(&tunnel.name.value);
        let mut ends = Vec::new();
        for end in &tunnel.endpoints {
            let (node, interface, span) = match end {
                EndSpec::Interface { node, interface, span } => (node, interface, *span),
                EndSpec::Internet(span) => {
                    let message = format!("tunnel `{name}` ends at `internet`");
                    let help =
                        "name the interface of a node; whoever can wrap packets for it is considered anyway";
                    work.findings.error(Code::Link, *span, message, help);
                    continue;
                }
            };
            let Some(end) = find_end(work, node, interface) else { continue };
            let wire = Wire { span, ends: ends.clone(), link: None, is_open: false };
            if self.is_free(work, end, span, &wire) {
                self.uses[end.index()] = Some(span);
                self.wiring.tunnel_of[end.index()] = Some(id);
                ends.push(end);
            }
        }
        if tunnel.endpoints.len() < 2 {
            let message = format!("tunnel `{name}` has fewer than two ends");
            let help = "name the interfaces at both of its ends";
            work.findings.error(Code::Link, tunnel.name.span, message, help);
        }
        check_outer(work, tunnel, &name, &ends);
        ends
    }
}

/// Checks the addresses of a tunnel's outer packets: one for each end, all of one family.
fn check_outer(work: &mut Work, tunnel: &TunnelSpec, name: &str, ends: &[InterfaceId]) {
    let Some(first) = tunnel.outer.first() else { return };
    if tunnel.outer.len() != tunnel.endpoints.len() {
        let (outer, count) = (tunnel.outer.len(), tunnel.endpoints.len());
        let message = format!("tunnel `{name}` has {count} ends, but {outer} outer addresses");
        let help = "give one address for each end, in the order of the ends";
        work.findings.error(Code::Link, first.span, message, help);
        return;
    }
    if let Some(other) = tunnel.outer.iter().find(|a| Family::of(a.value) != Family::of(first.value)) {
        let message = format!("the outer addresses of tunnel `{name}` are of different families");
        work.findings.error(Code::Address, other.span, message, "the outer packet has one family");
    }
    if ends.len() != tunnel.endpoints.len() {
        return;
    }
    for (outer, end) in tunnel.outer.iter().zip(ends) {
        let node = work.network.interface(*end).node;
        if !work.network.own_addresses(node).any(|own| own == outer.value) {
            let message = format!("`{}` has no address {}", work.node_label(node), outer.value);
            work.findings.push(
                Diagnostic::warning(Code::Address, outer.span, message)
                    .label(format!("outer address of its end of tunnel `{name}`"))
                    .help("right only if something on the way translates the address"),
            );
        }
    }
}

/// Reports an end that is named twice in one link.
fn twice(work: &mut Work, span: Span, first: Span, name: &str) {
    let message = format!("`{name}` is linked to itself");
    let again = Diagnostic::error(Code::Link, span, message)
        .also(first, "the same end")
        .help("name each end of a link once");
    work.findings.push(again);
}

/// The interface that an end names, or an error.
fn find_end(work: &mut Work, node: &Spanned<String>, name: &Spanned<String>) -> Option<InterfaceId> {
    let id = NodeId::at(work.node_names.resolve(node, &mut work.findings)?);
    if let Some(interface) = work.interface(id, &name.value) {
        return Some(interface);
    }
    let names = work.network.node(id).interfaces.iter().map(|i| work.network.interface(*i).name.as_str());
    let help = work
        .findings
        .suggest(&name.value, names)
        .unwrap_or_else(|| format!("declare it under `interfaces` of `{}`", visible(&node.value)));
    let message = format!(
        "`{}:{}` must be declared or dumped: the node has no such interface",
        visible(&node.value),
        visible(&name.value)
    );
    work.findings.error(Code::UnknownName, name.span, message, &help);
    None
}
