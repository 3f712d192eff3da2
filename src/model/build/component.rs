//! Connected parts of layer 2, before they are segments: what belongs together, in which order, by which
//! name.

use super::layer2::{Layer2, Spot, UNTAGGED};
use super::names::visible;
use super::work::Work;
use crate::model::{InterfaceId, NodeId, Role, VlanId};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Most characters of a segment's name.
const MOST_CHARACTERS: usize = 60;

/// One broadcast domain.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) attached: Vec<InterfaceId>,
    pub(super) ports: Vec<InterfaceId>,
    /// The wires that it runs over, in order.
    pub(super) wires: BTreeSet<usize>,
    /// The switches that it runs through.
    switches: BTreeSet<NodeId>,
    /// The tags that its frames have somewhere, without none.
    tags: BTreeSet<u16>,
    /// The VLANs that its ends call their frames without a tag.
    untagged: BTreeSet<VlanId>,
    /// Its first place on a wire, and the tag there.
    first: Option<(usize, u16)>,
}

/// The domains in the order of the links, those without links behind them; and by spot, the position of its
/// domain.
pub(super) fn components(layer2: &Layer2) -> (Vec<Component>, Vec<usize>) {
    let mut wires_of_root: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for wire in 0..layer2.wires.len() {
        wires_of_root.entry(layer2.wire_root(wire)).or_default().push(wire);
    }
    let mut of_root: FxHashMap<usize, usize> = FxHashMap::default();
    let mut found: Vec<Component> = Vec::new();
    let mut of_spot = Vec::with_capacity(layer2.spots.len());
    for (number, spot) in layer2.spots.iter().enumerate() {
        let position = *of_root.entry(layer2.root(number)).or_insert_with(|| {
            found.push(Component::default());
            found.len() - 1
        });
        of_spot.push(position);
        let component = &mut found[position];
        let tag = match spot {
            Spot::Wire(root, tag) => {
                let wires = wires_of_root.get(root).map_or(&[][..], Vec::as_slice);
                component.wires.extend(wires);
                let first = wires.first().map(|wire| (*wire, *tag));
                component.first = component.first.into_iter().chain(first).min();
                *tag
            }
            Spot::Inside(switch, tag) => {
                component.switches.insert(*switch);
                *tag
            }
        };
        component.tags.extend(Some(tag).filter(|tag| *tag != UNTAGGED));
    }
    for (interface, spot) in &layer2.attached {
        found[of_spot[*spot]].attached.push(*interface);
    }
    for (interface, spot) in &layer2.ports {
        found[of_spot[*spot]].ports.push(*interface);
    }
    for (interface, spot) in layer2.attached.iter().chain(&layer2.ports) {
        if matches!(layer2.spots[*spot], Spot::Wire(_, UNTAGGED)) {
            found[of_spot[*spot]].untagged.extend(layer2.words[interface.index()].untagged());
        }
    }
    for component in &mut found {
        component.attached.sort_unstable();
        component.ports.sort_unstable();
        component.ports.dedup();
        // An interface that receives from the domain is no mere port of it.
        let Component { attached, ports, .. } = component;
        ports.retain(|port| attached.binary_search(port).is_err());
    }
    in_order(found, of_spot)
}

fn in_order(found: Vec<Component>, of_spot: Vec<usize>) -> (Vec<Component>, Vec<usize>) {
    let key = |component: &Component| {
        let lead = component.attached.first().into_iter().chain(component.ports.first()).min();
        (component.first.unwrap_or((usize::MAX, UNTAGGED)), lead.copied())
    };
    let mut numbered: Vec<(usize, Component)> = found.into_iter().enumerate().collect();
    numbered.sort_by_cached_key(|(_, component)| key(component));
    let mut position_of = vec![0; numbered.len()];
    for (position, (old, _)) in numbered.iter().enumerate() {
        position_of[*old] = position;
    }
    let of_spot = of_spot.into_iter().map(|old| position_of[old]).collect();
    (numbered.into_iter().map(|(_, component)| component).collect(), of_spot)
}

impl Component {
    /// Whether anything is there.
    pub(super) fn is_inhabited(&self) -> bool {
        !self.attached.is_empty() || !self.ports.is_empty()
    }

    /// The VLAN that it is, if it is exactly one by name.
    pub(super) fn vlan(&self, work: &Work) -> Option<VlanId> {
        let tags = self.tags.iter().filter_map(|tag| work.vlan_of_tag.get(tag));
        let all: BTreeSet<VlanId> = tags.chain(&self.untagged).copied().collect();
        all.first().copied().filter(|_| all.len() == 1)
    }

    /// What reports call it.
    pub(super) fn name(&self, work: &Work, layer2: &Layer2) -> String {
        let ends = || {
            let wires = self.wires.iter().filter(|wire| layer2.wires[**wire].link.is_some());
            let ends = wires.flat_map(|wire| &layer2.wires[*wire].ends).map(|end| end_name(work, *end));
            let mut ends: Vec<String> = ends.take(6).collect();
            if ends.is_empty() {
                ends.extend(self.attached.iter().chain(&self.ports).take(6).map(|id| end_name(work, *id)));
            }
            ends.join(" – ")
        };
        let place = match self.switches.first().or(self.unaware(work).as_ref()) {
            Some(switch) => format!("at {}", work.node_label(*switch)),
            None => format!("on {}", ends()),
        };
        let vlan = |tag: u16| match work.vlan_of_tag.get(&tag) {
            Some(id) => format!("vlan {} ({tag}) {place}", visible(&work.network.vlans[id.index()].name)),
            None => format!("vlan {tag} {place}"),
        };
        let name = match self.tags.first() {
            Some(tag) => vlan(*tag),
            None if place.starts_with("at ") && self.wires.len() != 1 => format!("untagged {place}"),
            None => ends(),
        };
        shorten(name)
    }

    /// The first switch that it runs through without looking at tags.
    fn unaware(&self, work: &Work) -> Option<NodeId> {
        let nodes = self.ports.iter().map(|port| work.network.interface(*port).node);
        nodes.filter(|node| work.network.node(*node).role == Role::Switch).min()
    }
}

/// `node:interface`, or `internet`.
pub(super) fn end_name(work: &Work, id: InterfaceId) -> String {
    let node = work.network.interface(id).node;
    match work.network.node(node).role {
        Role::Internet => work.node_label(node),
        Role::Router | Role::Firewall | Role::Gateway | Role::Switch | Role::Host | Role::Other(_) => {
            work.label(id)
        }
    }
}

/// At most so many characters that a line of a report holds it.
pub(super) fn shorten(name: String) -> String {
    match name.char_indices().nth(MOST_CHARACTERS - 1) {
        Some((cut, _)) if name.chars().count() > MOST_CHARACTERS => format!("{}…", &name[..cut]),
        Some(_) | None => name,
    }
}
