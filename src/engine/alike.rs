//! Hosts that are alike: those of one segment that only ever answer, by the same routes, and differ in nothing but their
//! address. A coarse run takes such a group for one host, so that its work grows with the segments and not with the hosts.
//!
//! A host owns at most one address of a family, so each packet to the group says which of them receives it, and an answer
//! which of them sends it. Only groups of packets (multicast, broadcast) are heard by all; there the run takes any of them to
//! answer whomever one of them heard, which is at most more than happens.

use super::compiled::Compiled;
use super::facts::NodeFacts;
use super::history::Step;
use super::query::{Place, Query};
use super::routes::Fib;
use super::routes::interface_class;
use super::run::Run;
use super::view::View;
use crate::header::Family;
use crate::model::{Antispoof, Existence, FilterId, InterfaceId, Kind, Network, NodeId, Reading, SegmentId};
use crate::set::{Set, Space};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

/// Hosts of one segment that are alike.
pub(super) struct Group {
    /// Their segment.
    segment: SegmentId,
    /// Their interfaces, two or more, in order. The first speaks for all.
    members: Vec<InterfaceId>,
    /// Packets from any of them.
    from_own: Set,
    /// Packets to any of them.
    to_own: Set,
    /// Packets from one of them to itself, which are never on a wire.
    to_self: Set,
}

impl Group {
    /// The interface that stands for all.
    pub(super) fn speaker(&self) -> Option<InterfaceId> {
        self.members.first().copied()
    }
}

/// What hosts of one group have in common.
struct Likeness<'t> {
    /// Its routes of each reading, for what it sends by itself and for what came in.
    ways: [&'t Fib; 4],
    antispoof: [std::mem::Discriminant<Antispoof>; 2],
    ipv6: [bool; 2],
    /// What it takes besides packets to its own address.
    groups: Set,
}

impl PartialEq for Likeness<'_> {
    fn eq(&self, other: &Self) -> bool {
        let hops = |fib: &Fib| fib.sends.len();
        let same = |(a, b): (&&Fib, &&Fib)| {
            let mut both = a.sends.iter().zip(&b.sends);
            a.unroutable == b.unroutable
                && hops(a) == hops(b)
                && both.all(|((a, here), (b, there))| (a.via, here) == (b.via, there))
        };
        (self.antispoof, self.ipv6, self.groups) == (other.antispoof, other.ipv6, other.groups)
            && self.ways.iter().zip(&other.ways).all(same)
    }
}

impl Eq for Likeness<'_> {}

impl Hash for Likeness<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.antispoof, self.ipv6, self.groups).hash(state);
        for fib in self.ways {
            fib.unroutable.hash(state);
            fib.sends.iter().for_each(|(hop, set)| (hop.via, set).hash(state));
        }
    }
}

impl Compiled<'_> {
    /// Finds the groups of the network; they come by segment.
    pub(super) fn find_alike(&self, space: &mut Space) -> Vec<Group> {
        let network = self.network;
        let mut groups = Vec::new();
        for (id, segment) in network.segments_by_id().filter(|(id, _)| !self.joined[id.index()]) {
            let mut positions: FxHashMap<Likeness<'_>, usize> = FxHashMap::default();
            let mut alike: Vec<Vec<InterfaceId>> = Vec::new();
            for interface in segment.attached.iter().filter(|i| only_answers(network, &self.nodes, **i)) {
                let Some(likeness) = self.likeness(*interface) else { continue };
                let position = *positions.entry(likeness).or_insert(alike.len());
                if position == alike.len() {
                    alike.push(Vec::new());
                }
                alike[position].push(*interface);
            }
            let several = alike.into_iter().filter(|members| members.len() > 1);
            groups.extend(several.map(|members| group(space, network, &self.nodes, id, members)));
        }
        groups
    }

    fn likeness(&self, interface: InterfaceId) -> Option<Likeness<'_>> {
        let spec = self.network.interface(interface);
        let (own, came) = (None, Some(interface));
        let (may, must) = (Reading::May, Reading::Must);
        let way = |incoming, reading| self.known_fib(spec.node, incoming, reading);
        Some(Likeness {
            ways: [way(own, may)?, way(own, must)?, way(came, may)?, way(came, must)?],
            antispoof: spec.antispoof.map(|fact| std::mem::discriminant(&fact)),
            ipv6: [may, must].map(|reading| spec.ipv6.holds(reading)),
            groups: self.group_at(interface),
        })
    }

    /// Finds the interfaces of a node that are told apart on receive only: by no other list, no rule of routing, and no group.
    pub(super) fn find_same_inside(&self) -> Vec<InterfaceId> {
        let network = self.network;
        let mut same: Vec<InterfaceId> = (0..network.interfaces.len()).map(InterfaceId::at).collect();
        for (id, node) in network.nodes_by_id().filter(|(_, node)| node.interfaces.len() > 1) {
            let egress = node.interfaces.iter().flat_map(|interface| &network.interface(*interface).egress);
            let inside: BTreeSet<FilterId> =
                node.input.iter().chain(&node.forward).chain(egress).map(|hook| hook.filter).collect();
            let mut first: FxHashMap<(u64, Set, Vec<u64>), InterfaceId> = FxHashMap::default();
            for interface in &node.interfaces {
                let looks = inside.iter().map(|filter| self.look(*filter, Some(*interface), true)).collect();
                let routed = interface_class(network, id, *interface);
                let key = (routed, self.group_at(*interface), looks);
                same[interface.index()] = *first.entry(key).or_insert(*interface);
            }
        }
        same
    }
}

fn group(
    space: &mut Space,
    network: &Network,
    nodes: &[NodeFacts],
    segment: SegmentId,
    members: Vec<InterfaceId>,
) -> Group {
    let facts: Vec<&NodeFacts> =
        members.iter().map(|id| &nodes[network.interface(*id).node.index()]).collect();
    let mut union = |of: &mut dyn FnMut(&mut Space, &NodeFacts) -> Set| {
        let sets: Vec<Set> = facts.iter().map(|facts| of(space, facts)).collect();
        space.union_all(&sets)
    };
    let from_own = union(&mut |_, facts| facts.from_own);
    let to_own = union(&mut |_, facts| facts.to_own);
    let to_self = union(&mut |space, facts| space.intersect(facts.from_own, facts.to_own));
    Group { segment, members, from_own, to_own, to_self }
}

/// Whether a host with this interface alone does nothing but receive, answer, and send with its one address of a family.
fn only_answers(network: &Network, nodes: &[NodeFacts], interface: InterfaceId) -> bool {
    let spec = network.interface(interface);
    let node = network.node(spec.node);
    let owns = |family| spec.addresses.iter().filter(|a| Family::of(a.net.addr()) == family).count();
    nodes[spec.node.index()].inert
        && node.interfaces.len() == 1
        && node.kind == Kind::Linux
        && node.existence == Existence::Described
        && node.dynamic_routes.is_none()
        && !spec.addresses.is_empty()
        && Family::ALL.iter().all(|family| owns(*family) <= 1)
        // Whatever else it calls its own is an address of its interface.
        && nodes[spec.node.index()].own.len() == spec.addresses.len()
}

/// The groups that a run takes for one host each.
#[derive(Default)]
pub(super) struct Alike<'c> {
    groups: &'c [Group],
    /// For each interface its group, if the run does not tell it from the others; empty if it tells all apart.
    of_interface: Vec<Option<usize>>,
    /// For each segment its groups that count.
    of_segment: FxHashMap<SegmentId, Vec<usize>>,
    /// For each group what others than its members sent to all on the segment.
    flooded: FxHashMap<usize, Set>,
}

impl<'c> Alike<'c> {
    /// The groups of a network whose members a query treats alike.
    pub(super) fn of(compiled: &'c Compiled<'c>, query: &Query) -> Alike<'c> {
        let network = compiled.network;
        let mut alike = Alike {
            groups: &compiled.alike,
            of_interface: vec![None; network.interfaces.len()],
            ..Alike::default()
        };
        let special = |id: &InterfaceId| {
            let node = network.interface(*id).node;
            query.footholds.nodes[node.index()]
                || query.cut.deaf.contains(&node)
                || query.cut.interfaces.contains(id)
                || query.cut.hops.iter().any(|(from, to)| from == id || to == id)
        };
        let targeted = |id: &InterfaceId| query.targets.nodes[network.interface(*id).node.index()];
        for (position, group) in compiled.alike.iter().enumerate() {
            let mixed = group.members.iter().any(|id| targeted(id) != targeted(&group.members[0]));
            if mixed || group.members.iter().any(special) {
                continue;
            }
            group.members.iter().for_each(|id| alike.of_interface[id.index()] = Some(position));
            alike.of_segment.entry(group.segment).or_default().push(position);
        }
        alike
    }

    /// The position of the group of an interface.
    fn position(&self, interface: InterfaceId) -> Option<usize> {
        self.of_interface.get(interface.index()).copied().flatten()
    }

    /// The group of an interface.
    fn group(&self, interface: InterfaceId) -> Option<&'c Group> {
        self.position(interface).map(|position| &self.groups[position])
    }

    /// Whether an interface is one of a group.
    pub(super) fn has(&self, interface: InterfaceId) -> bool {
        self.position(interface).is_some()
    }
}

impl<'c> Run<'_, 'c> {
    /// The groups on a segment.
    fn groups_on(&self, segment: SegmentId) -> Vec<(usize, &'c Group)> {
        let here = self.alike.of_segment.get(&segment);
        here.into_iter().flatten().map(|position| (*position, &self.alike.groups[*position])).collect()
    }

    /// Every interface on a segment but the sender's receives packets.
    pub(super) fn flood(
        &mut self,
        view: &mut View<'_>,
        segment: SegmentId,
        packets: Set,
        sender: Option<InterfaceId>,
        step: Step,
    ) {
        for interface in &self.network.segment(segment).attached {
            if Some(*interface) != sender && !self.alike.has(*interface) {
                self.receive(view, *interface, packets, step);
            }
        }
        for (position, group) in self.groups_on(segment) {
            // What one of a group sends, the others of it receive.
            if !sender.is_some_and(|sender| self.alike.has(sender)) {
                let known = self.alike.flooded.entry(position).or_insert(Set::EMPTY);
                *known = view.space.union(*known, packets);
            }
            if let Some(speaker) = group.speaker() {
                self.receive(view, speaker, packets, step);
            }
        }
    }

    /// The groups on a segment receive what is for one of their members.
    pub(super) fn hand_to_groups(&mut self, view: &mut View<'_>, segment: SegmentId, owned: Set, step: Step) {
        for (_, group) in self.groups_on(segment) {
            let theirs = view.space.intersect(owned, group.to_own);
            if let Some(speaker) = group.speaker() {
                self.receive(view, speaker, theirs, step);
            }
        }
    }

    /// A member of a group receives packets as a next hop; it forwards none of them. Returns whether it is one.
    pub(super) fn hand_to_member(
        &mut self,
        view: &mut View<'_>,
        member: InterfaceId,
        packets: Set,
        step: Step,
    ) -> bool {
        let Some(group) = self.alike.group(member) else { return false };
        let own = view.compiled.nodes[self.network.interface(member).node.index()].to_own;
        let own = view.space.union(own, view.compiled.group_at(member));
        let theirs = view.space.intersect(packets, own);
        if let Some(speaker) = group.speaker() {
            self.receive(view, speaker, theirs, step);
        }
        true
    }

    /// Sends what honest nodes send, those of a group together if all of them are honest.
    pub(super) fn originate_all(&mut self, view: &mut View<'_>, nodes: &[NodeId], wanted: Set) {
        let mut honest = vec![false; self.network.nodes.len()];
        nodes.iter().for_each(|node| honest[node.index()] = true);
        for node in nodes {
            let interface = self.network.node(*node).interfaces.first().copied();
            let group = interface.and_then(|interface| self.alike.group(interface));
            let whole = group.filter(|group| {
                group.members.iter().all(|id| honest[self.network.interface(*id).node.index()])
            });
            match whole {
                None => self.originate(view, *node, wanted, false),
                Some(group) if interface == group.speaker() => {
                    let packets = view.space.intersect(wanted, group.from_own);
                    let step = Step::Own { node: *node, established: false, change: None };
                    self.send_from(view, group, packets, step);
                    self.note_sent(view, *node, packets);
                }
                Some(_) => {}
            }
        }
    }

    /// The packets that an interface received reach its group, if it is of one. Returns whether it is.
    pub(super) fn process_group(&mut self, view: &mut View<'_>, receiver: InterfaceId, packets: Set) -> bool {
        let Some(group) = self.alike.group(receiver) else { return false };
        let node = self.network.interface(receiver).node;
        let packets = self.usable(view, receiver, packets);
        let heard = match self.query.reading {
            Reading::May => view.compiled.group_at(receiver),
            Reading::Must => Set::EMPTY,
        };
        let (local, rest) = view.part(packets, group.to_own);
        let heard = view.space.intersect(rest, heard);
        let all = view.space.union(local, heard);
        let plausible = view.plausible_sources_less(receiver, group.to_self);
        let all = view.space.intersect(all, plausible);
        let common = &view.compiled.common;
        let all = match self.query.reading {
            Reading::May => view.space.minus(all, common.never_taken),
            Reading::Must => {
                let dropped = view.space.union(common.martians, group.to_self);
                view.space.minus(all, dropped)
            }
        };
        if all.is_empty() {
            return true;
        }
        self.deliver(view, node, all, receiver, false, None);
        if self.reflects() {
            self.answer_from(view, group, node, receiver, all);
        }
        true
    }

    /// The members of a group answer what was delivered to them, from the address that was asked.
    fn answer_from(
        &mut self,
        view: &mut View<'_>,
        group: &'c Group,
        node: NodeId,
        receiver: InterfaceId,
        delivered: Set,
    ) {
        let cause = self.less_free(view, Place::Node(node), delivered);
        let asked = view.space.intersect(cause, group.to_own);
        let heard = view.space.minus(cause, group.to_own);
        let ends = view.space.project_ends(asked);
        let mut answers = view.space.mirror(ends);
        if !heard.is_empty() {
            let sources = view.space.project_src(heard);
            let back = view.space.src_as_dst(sources);
            let back = view.space.intersect(back, group.from_own);
            answers = view.space.union(answers, back);
        }
        let answers = view.space.minus(answers, self.answered[node.index()][0]);
        if answers.is_empty() {
            return;
        }
        let answered = &mut self.answered[node.index()][0];
        *answered = view.space.union(*answered, answers);
        self.send_from(view, group, answers, Step::Answered { receiver, cause, change: None });
    }

    /// The members of a group send packets with their own addresses by their routes.
    fn send_from(&mut self, view: &mut View<'_>, group: &'c Group, packets: Set, step: Step) {
        let Some(speaker) = group.speaker() else { return };
        for (_, via, set) in self.own_ways(view, self.network.interface(speaker).node, 0) {
            let routed = view.space.intersect(packets, set);
            let routed = self.usable(view, speaker, routed);
            let routed = view.space.minus(routed, group.to_self);
            self.put(view, group.segment, routed, speaker, via, step);
        }
    }

    /// Nodes that packets were delivered to, as the members of groups.
    pub(super) fn delivered_members(&self, view: &mut View<'_>, node: NodeId) -> Vec<NodeId> {
        let set = self.delivered[node.index()];
        let speaker = self.network.node(node).interfaces.first();
        let group = speaker.and_then(|id| self.alike.group(*id));
        let Some((group, speaker)) = group.zip(speaker) else {
            return if set.is_empty() { Vec::new() } else { vec![node] };
        };
        if set.is_empty() || group.speaker() != Some(*speaker) {
            return Vec::new();
        }
        let heard = view.compiled.group_at(*speaker);
        let all = view.space.intersects(set, heard);
        let own = |id: &InterfaceId| self.network.interface(*id).node;
        let reached = group.members.iter().map(own).filter(|id| {
            let to_own = view.compiled.nodes[id.index()].to_own;
            all || view.space.intersects(set, to_own)
        });
        reached.collect()
    }

    /// For an interface of a group, whether it drops a packet for its source; `None` for any other.
    pub(super) fn drops_strange_sources(&self, view: &mut View<'_>, member: InterfaceId) -> Option<bool> {
        let position = self.alike.position(member)?;
        let group = &self.alike.groups[position];
        let received = self.received[group.speaker()?.index()];
        if received.is_empty() {
            return Some(false);
        }
        let received = self.usable(view, member, received);
        let flooded = self.alike.flooded.get(&position).copied().unwrap_or(Set::EMPTY);
        let flooded = self.usable(view, member, flooded);
        let facts = &view.compiled.nodes[self.network.interface(member).node.index()];
        let plausible = view.plausible_sources_less(member, Set::EMPTY);
        let for_it = view.plausible_sources_less(member, facts.from_own);
        let space = &mut view.space;
        let strange = space.minus(received, plausible);
        let own = space.minus(plausible, for_it);
        let to_itself = space.intersect(facts.to_own, own);
        Some(
            !space.is_subset(flooded, for_it)
                || space.intersects(strange, facts.to_own)
                || space.intersects(received, to_itself),
        )
    }
}
