//! Broadcast domains: which places of layer 2 are one (SEMANTICS.md sections 1.1, 1.5 and 3.10).
//!
//! A *spot* is a wire, or the inside of a switch, together with a tag. What joins spots for certain is a
//! union; what may join them is remembered as a join.

use super::conflict::{Tags, Words, read_words};
use super::link::{Wire, Wiring};
use super::names::visible;
use super::part::{self, Part};
use super::spec::{Cabling, RouteActionSpec};
use super::work::Work;
use super::{fact, switching};
use crate::diag::Code;
use crate::model::{InterfaceId, NodeId, UnknownId};
use petgraph::unionfind::UnionFind;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// The tag of frames without a tag.
pub(super) const UNTAGGED: u16 = 0;

/// Where a frame can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Spot {
    /// On a wire, by the representative of the wires that are joined whatever the tag.
    Wire(usize, u16),
    /// Inside a switch.
    Inside(NodeId, u16),
}

/// Spots, what joins them, and what is there.
pub(super) struct Layer2 {
    pub(super) spots: Vec<Spot>,
    by_spot: FxHashMap<Spot, usize>,
    joined: UnionFind<usize>,
    wires_joined: UnionFind<usize>,
    /// The wires of the links, then one for each interface that nothing is plugged into.
    pub(super) wires: Vec<Wire>,
    /// By interface, the wire that it ends, if it can end one.
    pub(super) wire_of: Vec<Option<usize>>,
    pub(super) words: Vec<Words>,
    pub(super) parts: Vec<Part>,
    /// Interfaces of layer 3 by spot.
    pub(super) attached: Vec<(InterfaceId, usize)>,
    /// Ports and trunks by the spots that run over them.
    pub(super) ports: Vec<(InterfaceId, usize)>,
    /// Possible ways from spot to spot.
    pub(super) joins: Vec<(usize, usize, UnknownId)>,
}

impl Layer2 {
    /// The number of a spot, which is made if there is none yet.
    pub(super) fn spot(&mut self, spot: Spot) -> usize {
        if let Some(known) = self.by_spot.get(&spot) {
            return *known;
        }
        let number = self.joined.new_set();
        self.spots.push(spot);
        self.by_spot.insert(spot, number);
        number
    }

    /// The number of a spot, if something is there.
    pub(super) fn known_spot(&self, spot: Spot) -> Option<usize> {
        self.by_spot.get(&spot).copied()
    }

    /// The spot of a tag on the wire of an interface; `None` if it ends no wire.
    pub(super) fn on_wire(&self, interface: InterfaceId, tag: u16) -> Option<Spot> {
        let wire = self.wire_of[interface.index()]?;
        Some(Spot::Wire(self.wires_joined.find(wire), tag))
    }

    /// The representative of the wires that are one whatever the tag.
    pub(super) fn wire_root(&self, wire: usize) -> usize {
        self.wires_joined.find(wire)
    }

    /// Makes two wires one, whatever the tag. Before there are spots on them.
    pub(super) fn join_wires(&mut self, one: usize, other: usize) {
        self.wires_joined.union(one, other);
    }

    /// Makes two spots one.
    pub(super) fn unite(&mut self, one: Spot, other: Spot) {
        let (one, other) = (self.spot(one), self.spot(other));
        self.joined.union(one, other);
    }

    /// The representative of the spots that are one with this.
    pub(super) fn root(&self, spot: usize) -> usize {
        self.joined.find(spot)
    }

    pub(super) fn attach(&mut self, interface: InterfaceId, spot: Spot) {
        let spot = self.spot(spot);
        self.attached.push((interface, spot));
    }

    pub(super) fn run_over(&mut self, interface: InterfaceId, spot: Spot) {
        let spot = self.spot(spot);
        self.ports.push((interface, spot));
    }
}

/// Finds the broadcast domains.
pub(super) fn connect(work: &mut Work, wiring: &Wiring) -> Layer2 {
    let words = read_words(work, wiring);
    let parts = part::parts(work, wiring, &words);
    let mut layer2 = Layer2 {
        spots: Vec::new(),
        by_spot: FxHashMap::default(),
        joined: UnionFind::new_empty(),
        wires_joined: UnionFind::new_empty(),
        wires: wiring.wires.clone(),
        wire_of: wiring.wire_of.clone(),
        parts,
        words,
        attached: Vec::new(),
        ports: Vec::new(),
        joins: Vec::new(),
    };
    let members = masters(work);
    add_lone_wires(work, &mut layer2, &members);
    layer2.wires_joined = UnionFind::new(layer2.wires.len());
    join_bridged_wires(&mut layer2, &members);
    switching::join_unaware(work, &mut layer2);
    join_bridged_tags(&mut layer2, &members);
    attach_own(work, &mut layer2, &members);
    switching::connect_ports(work, &mut layer2);
    attach_bare_trunks(work, &mut layer2);
    switching::possible_joins(work, &mut layer2);
    layer2
}

/// A wire for each interface that could end one but has no link.
fn add_lone_wires(work: &Work, layer2: &mut Layer2, members: &BTreeMap<InterfaceId, InterfaceId>) {
    let masters: FxHashSet<InterfaceId> = members.values().copied().collect();
    for index in 0..layer2.parts.len() {
        let ends_wire = matches!(layer2.parts[index], Part::Port | Part::Own);
        if ends_wire && layer2.wire_of[index].is_none() {
            let id = InterfaceId::at(index);
            layer2.wire_of[index] = Some(layer2.wires.len());
            let span = work.network.interface(id).span;
            // A bridge or bond is inside its device: cables end at its ports.
            let is_open = !masters.contains(&id);
            layer2.wires.push(Wire { span, ends: vec![id], link: None, is_open });
        }
    }
}

/// The bridge or bond of each interface that is a port of one.
fn masters(work: &mut Work) -> BTreeMap<InterfaceId, InterfaceId> {
    let mut members = BTreeMap::new();
    for index in 0..work.interfaces.len() {
        let Some(name) = &work.interfaces[index].master else { continue };
        let id = InterfaceId::at(index);
        let node = work.network.interface(id).node;
        match work.interface(node, &name.value) {
            Some(master) if master != id => drop(members.insert(id, master)),
            Some(_) | None => {
                let message = format!(
                    "`{}` is a port of `{}`, which is no interface of the node",
                    work.label(id),
                    visible(&name.value)
                );
                let help = "dump all interfaces at once (`ip -j addr`)";
                work.findings.error(Code::UnknownName, name.span, message, help);
            }
        }
    }
    members
}

/// A bridge or bond of a node that ignores tags: the wires of its ports are one.
fn join_bridged_wires(layer2: &mut Layer2, members: &BTreeMap<InterfaceId, InterfaceId>) {
    for (member, master) in members {
        let wires = (layer2.wire_of[member.index()], layer2.wire_of[master.index()]);
        if let (Some(member), Some(master)) = wires {
            layer2.wires_joined.union(member, master);
        }
    }
}

/// A tagged sub-interface as a port of a bridge: its frames are the untagged ones of the bridge.
fn join_bridged_tags(layer2: &mut Layer2, members: &BTreeMap<InterfaceId, InterfaceId>) {
    for (member, master) in members {
        let Part::Sub { parent, tag } = layer2.parts[member.index()] else { continue };
        let spots = (layer2.on_wire(parent, tag), layer2.on_wire(*master, UNTAGGED));
        if let (Some(outer), Some(inner)) = spots {
            layer2.unite(outer, inner);
        }
    }
}

/// Attaches the interfaces of layer 3, and notes the wires that trunks of routers and hosts run over.
fn attach_own(work: &Work, layer2: &mut Layer2, members: &BTreeMap<InterfaceId, InterfaceId>) {
    let named = named_by_routes(work);
    let masters: FxHashSet<InterfaceId> = members.values().copied().collect();
    let is_open = matches!(work.cabling, Cabling::Unknown(_));
    for index in 0..layer2.parts.len() {
        let id = InterfaceId::at(index);
        let is_member = members.contains_key(&id);
        match layer2.parts[index] {
            Part::Apart | Part::Port => {}
            Part::Svi(tag) => layer2.attach(id, Spot::Inside(work.network.interface(id).node, tag)),
            Part::Sub { parent, tag } => {
                let Some(spot) = layer2.on_wire(parent, tag) else { continue };
                match is_member {
                    true => layer2.run_over(id, spot),
                    false => layer2.attach(id, spot),
                }
            }
            Part::Own => {
                let Some(untagged) = layer2.on_wire(id, UNTAGGED) else { continue };
                let Words { native, trunk, .. } = layer2.words[index].clone();
                let is_linked = layer2.wires[layer2.wire_of[index].unwrap_or_default()].link.is_some();
                let is_addressed = !work.network.interface(id).addresses.is_empty();
                let is_used =
                    is_addressed || native.is_some() || named.contains(&id) || masters.contains(&id);
                if is_member {
                    layer2.run_over(id, untagged);
                } else if is_used || (trunk.is_none() && (is_linked || is_open)) {
                    layer2.attach(id, untagged);
                }
                let Some(Tags::These(tags)) = trunk else { continue };
                for (_, tag) in tags.iter().filter(|(vlan, _)| native.is_none_or(|(own, _)| own != *vlan)) {
                    if let Some(spot) = layer2.on_wire(id, *tag) {
                        layer2.run_over(id, spot);
                    }
                }
            }
        }
    }
}

/// The interfaces that routes send out of by name, so that something must be behind them.
fn named_by_routes(work: &Work) -> FxHashSet<InterfaceId> {
    let mut named = FxHashSet::default();
    for (index, node) in work.nodes.iter().enumerate() {
        let hops = node.routes.iter().flat_map(|route| match &route.action {
            RouteActionSpec::Send(hops) => &hops[..],
            RouteActionSpec::Blackhole | RouteActionSpec::Unreachable | RouteActionSpec::Throw => &[],
        });
        let names = hops.filter_map(|hop| hop.interface.as_ref());
        named.extend(names.filter_map(|name| work.interface(NodeId::at(index), &name.value)));
    }
    named
}

/// A trunk of a router or host without an address is a mere port; but where IPv6 may run on it, and something
/// else sends untagged frames on its wire, it receives them by its link-local address (SEMANTICS.md section
/// 3.5).
fn attach_bare_trunks(work: &Work, layer2: &mut Layer2) {
    let attached: FxHashSet<InterfaceId> = layer2.attached.iter().map(|(id, _)| *id).collect();
    for index in 0..layer2.parts.len() {
        let id = InterfaceId::at(index);
        let is_trunk = layer2.parts[index] == Part::Own && layer2.words[index].trunk.is_some();
        let is_member = work.interfaces.get(index).is_some_and(|spec| spec.master.is_some());
        if !is_trunk || is_member || attached.contains(&id) || fact::ipv6_is_off(work, id) {
            continue;
        }
        let Some(untagged) = layer2.on_wire(id, UNTAGGED) else { continue };
        if layer2.known_spot(untagged).is_some() {
            layer2.attach(id, untagged);
        }
    }
}
