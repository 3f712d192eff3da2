//! What switches join: VLANs for certain, and by mistakes or tricks perhaps (SEMANTICS.md section 3.10).

use super::conflict::Tags;
use super::layer2::{Layer2, Spot, UNTAGGED};
use super::names::visible;
use super::part::Part;
use super::work::Work;
use crate::model::{InterfaceId, NodeId, Role, UnknownId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// The switches in order.
fn switches(work: &Work) -> impl Iterator<Item = NodeId> + use<> {
    let switches = work.network.nodes_by_id().filter(|(_, node)| node.role == Role::Switch);
    switches.map(|(id, _)| id).collect::<Vec<_>>().into_iter()
}

/// The ports of a switch in order.
fn ports(work: &Work, layer2: &Layer2, switch: NodeId) -> Vec<InterfaceId> {
    let interfaces = work.network.node(switch).interfaces.iter().copied();
    interfaces.filter(|id| layer2.parts[id.index()] == Part::Port).collect()
}

/// Whether a switch looks at tags: it does if any of its interfaces names a VLAN.
fn is_aware(work: &Work, layer2: &Layer2, switch: NodeId) -> bool {
    work.network.node(switch).interfaces.iter().any(|id| layer2.words[id.index()].any())
}

/// A bridge that ignores tags joins the wires of its ports, whatever runs over them.
pub(super) fn join_unaware(work: &Work, layer2: &mut Layer2) {
    for switch in switches(work) {
        if !is_aware(work, layer2, switch) {
            let wires: Vec<usize> =
                ports(work, layer2, switch).iter().filter_map(|id| layer2.wire_of[id.index()]).collect();
            for pair in wires.windows(2) {
                layer2.join_wires(pair[0], pair[1]);
            }
        }
    }
}

/// Joins the ports of each switch with the VLANs inside it.
pub(super) fn connect_ports(work: &Work, layer2: &mut Layer2) {
    let mut unaware: FxHashMap<usize, Vec<InterfaceId>> = FxHashMap::default();
    for switch in switches(work) {
        let aware = is_aware(work, layer2, switch);
        for port in ports(work, layer2, switch) {
            let Some(untagged) = layer2.on_wire(port, UNTAGGED) else { continue };
            match aware {
                true => connect_port(layer2, switch, port, untagged),
                false => {
                    layer2.run_over(port, untagged);
                    if let Some(wire) = layer2.wire_of[port.index()] {
                        unaware.entry(layer2.wire_root(wire)).or_default().push(port);
                    }
                }
            }
        }
    }
    // Tagged frames that others put on these wires cross the ports of unaware switches too.
    let tagged: Vec<Spot> = layer2.spots.clone();
    for spot in tagged {
        let Spot::Wire(root, tag) = spot else { continue };
        for port in unaware.get(&root).into_iter().flatten().filter(|_| tag != UNTAGGED) {
            layer2.run_over(*port, spot);
        }
    }
}

fn connect_port(layer2: &mut Layer2, switch: NodeId, port: InterfaceId, untagged: Spot) {
    let words = layer2.words[port.index()].clone();
    let within = |tag| Spot::Inside(switch, tag);
    let own = words.access.or(words.native).map(|(_, tag)| tag);
    match (own, &words.trunk) {
        (Some(tag), _) => {
            layer2.unite(untagged, within(tag));
            layer2.run_over(port, untagged);
        }
        (None, None) => {
            layer2.unite(untagged, within(UNTAGGED));
            layer2.run_over(port, untagged);
        }
        (None, Some(Tags::Auto(_))) => layer2.run_over(port, untagged),
        // A trunk without a native VLAN drops what has no tag.
        (None, Some(Tags::These(_))) => {}
    }
    let Some(Tags::These(tags)) = &words.trunk else { return };
    // The native VLAN has no tag on the wire, also if it is listed.
    for (_, tag) in tags.iter().filter(|(_, tag)| Some(*tag) != own) {
        if let Some(spot) = layer2.on_wire(port, *tag) {
            layer2.unite(spot, within(*tag));
            layer2.run_over(port, spot);
        }
    }
}

/// Notes what a switch may do to frames that nobody wants: ports that may become trunks, and tags within
/// tags.
pub(super) fn possible_joins(work: &mut Work, layer2: &mut Layer2) {
    let mut on_wire: FxHashMap<usize, BTreeSet<u16>> = FxHashMap::default();
    let mut inside: FxHashMap<NodeId, BTreeSet<u16>> = FxHashMap::default();
    for spot in &layer2.spots {
        match spot {
            Spot::Wire(root, tag) => on_wire.entry(*root).or_default().insert(*tag),
            Spot::Inside(switch, tag) => inside.entry(*switch).or_default().insert(*tag),
        };
    }
    for switch in switches(work) {
        let ports = ports(work, layer2, switch);
        let carried = carried_by_others(layer2, &ports);
        for port in ports {
            let words = layer2.words[port.index()].clone();
            let Some(Spot::Wire(root, _)) = layer2.on_wire(port, UNTAGGED) else { continue };
            let tags = on_wire.get(&root).cloned().unwrap_or_default();
            match (&words.trunk, words.native) {
                (Some(Tags::Auto(span)), _) => {
                    let vlans = inside.get(&switch).cloned().unwrap_or_default();
                    let label = work.label(port);
                    let unknown = work.unknown(
                        format!("which VLANs the other end makes `{label}` carry"),
                        *span,
                        format!("`trunk: [...]` or `access: ...` on `{label}`"),
                    );
                    join_auto(layer2, switch, port, &vlans, unknown, |tag| tags.contains(&tag));
                }
                (Some(Tags::These(_)), Some((_, native))) => {
                    if carried.get(&native).is_some_and(|ports| ports.iter().any(|other| *other != port)) {
                        join_doubly_tagged(work, layer2, switch, port, native, &tags);
                    }
                }
                (Some(Tags::These(_)), None) | (None, _) => {}
            }
        }
    }
}

/// The ports that carry a VLAN as access ports or tagged, by tag. Two are enough to know whether there is
/// another.
fn carried_by_others(layer2: &Layer2, ports: &[InterfaceId]) -> FxHashMap<u16, Vec<InterfaceId>> {
    let mut carried: FxHashMap<u16, Vec<InterfaceId>> = FxHashMap::default();
    for port in ports {
        let words = &layer2.words[port.index()];
        let listed = words.trunk.iter().flat_map(|tags| match tags {
            Tags::Auto(_) => &[][..],
            Tags::These(tags) => &tags[..],
        });
        let tags: FxHashSet<u16> = words.access.iter().chain(listed).map(|(_, tag)| *tag).collect();
        for tag in tags {
            let known = carried.entry(tag).or_default();
            if known.len() < 2 {
                known.push(*port);
            }
        }
    }
    carried
}

/// A port that lets the other end choose is a trunk of all VLANs if that wants it (dynamic trunking).
fn join_auto(
    layer2: &mut Layer2,
    switch: NodeId,
    port: InterfaceId,
    vlans: &BTreeSet<u16>,
    unknown: UnknownId,
    is_on_wire: impl Fn(u16) -> bool,
) {
    for tag in vlans {
        let within = layer2.spot(Spot::Inside(switch, *tag));
        for outer in BTreeSet::from([UNTAGGED, *tag]) {
            let Some(spot) = layer2.on_wire(port, outer).filter(|_| outer == UNTAGGED || is_on_wire(outer))
            else {
                continue;
            };
            let wire = layer2.spot(spot);
            layer2.joins.push((wire, within, unknown));
            layer2.joins.push((within, wire, unknown));
        }
    }
}

/// A frame with two tags loses the outer one where that is native, and goes on in the VLAN of the inner one.
fn join_doubly_tagged(
    work: &mut Work,
    layer2: &mut Layer2,
    switch: NodeId,
    port: InterfaceId,
    native: u16,
    tags: &BTreeSet<u16>,
) {
    let others: Vec<u16> = tags.iter().copied().filter(|tag| *tag != UNTAGGED && *tag != native).collect();
    if others.is_empty() {
        return;
    }
    let label = work.label(port);
    let name = work.vlan_of_tag.get(&native).map(|id| visible(&work.network.vlans[id.index()].name));
    let unknown = work.unknown(
        format!(
            "whether `{label}` strips the outer tag of frames with two (native VLAN `{}`)",
            name.unwrap_or_default()
        ),
        work.network.interface(port).span,
        format!("`native` of `{label}`: a VLAN that no other port of the switch carries"),
    );
    let from = layer2.spot(Spot::Inside(switch, native));
    for tag in others {
        if let Some(spot) = layer2.on_wire(port, tag) {
            let to = layer2.spot(spot);
            layer2.joins.push((from, to, unknown));
        }
    }
}
