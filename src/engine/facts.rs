//! What is worth knowing of filters, nodes and segments before any packet moves.

use super::inject;
use super::inject::LINK_LOCAL_V6;
use super::marks::{MarkFacts, MarkUse, mark_uses};
use super::rules::each_test;
use crate::header::{AddressRange, Family, Fragment};
use crate::model::mark::reachable;
use crate::model::{
    Action, Existence, InterfaceId, Kind, MarkChange, Marked, Network, NodeId, Reading, Role, Segment, Test,
};
use crate::set::{Set, Side, Space};
use std::collections::BTreeSet;

/// What is worth knowing of a filter before it is compiled.
pub(super) struct FilterFacts {
    /// The conditions on interfaces that its rules make.
    pub(super) interface_tests: Vec<Test>,
    uses_state: bool,
    /// Whether some rule asks for the node's own addresses.
    pub(super) uses_own: bool,
    /// What each of its chains does with marks.
    pub(super) marks: Vec<MarkUse>,
    /// What its rules make of marks.
    mark_changes: BTreeSet<MarkChange>,
    /// Whether a rule asks for the mark of a connection.
    asks_connection_marks: bool,
    /// Whether a rule asks whether the connection is translated.
    asks_status: bool,
}

/// What is worth knowing of a node.
pub(super) struct NodeFacts {
    /// Its own addresses.
    pub(super) own: Vec<AddressRange>,
    /// Packets from them.
    pub(super) from_own: Set,
    /// Packets to them.
    pub(super) to_own: Set,
    /// Packets from the broadcast addresses of its prefixes.
    pub(super) from_broadcast: Set,
    /// The interfaces that have prefixes with broadcast addresses, with the packets to those.
    pub(super) broadcasting: Vec<(InterfaceId, Set)>,
    /// Packets to the broadcast addresses of its prefixes. It takes them on every interface, and passes them on only if it
    /// is told to (`bc_forwarding`).
    pub(super) to_broadcast: Set,
    /// The same, and those to the loopback: what it sends there meets no route of the description.
    pub(super) before_rules: Set,
    /// Whether it tracks connections.
    pub(super) tracks: bool,
    /// Whether it translates addresses, and so has tables that anything hangs on.
    pub(super) translates: bool,
    /// Whether some filter of it asks for the connection state.
    pub(super) asks_state: bool,
    /// Whether some filter of it rejects, so that its answers may bear the destination of what they answer.
    pub(super) rejects: bool,
    /// Whether it only ever sends with its own addresses, whatever it receives, and keeps no tables: what anybody sends
    /// it opens nothing.
    pub(super) inert: bool,
    /// The marks of its packets.
    pub(super) marks: MarkFacts,
}

/// What is worth knowing of a segment.
pub(super) struct SegmentFacts {
    /// The interfaces that own an address on it, with their addresses and the packets to them.
    pub(super) owners: Vec<(InterfaceId, Vec<AddressRange>, Set)>,
    /// Packets to any of them.
    pub(super) owned: Set,
    /// Packets to groups: multicast and broadcast.
    pub(super) group: Set,
    /// The interface of the internet, if it is attached.
    pub(super) internet: Option<InterfaceId>,
}

/// Sets that every run needs.
pub(super) struct Common {
    /// Packets of each family.
    pub(super) families: [Set; 2],
    /// See [`inject::never_taken`].
    pub(super) never_taken: Set,
    /// See [`inject::martians`].
    pub(super) martians: Set,
    /// Fragments, which are certainly delivered, or pass a node that puts datagrams together, only if the rest comes.
    pub(super) fragments: Set,
    /// See [`inject::certainly_new`].
    pub(super) certainly_new: Set,
    /// See [`inject::sure_answers`].
    pub(super) sure_answers: Set,
    /// See [`inject::icmp_errors`].
    pub(super) icmp_errors: Set,
    /// Packets to groups as an interface without a segment sees them.
    pub(super) multicast: Set,
    /// Packets to the addresses of the loopback, which nodes route to themselves while it runs.
    pub(super) to_loopback: Set,
    /// Packets from or to link-local addresses of IPv6.
    pub(super) link_local: Set,
    /// Packets of the protocols that have ports.
    pub(super) with_ports: Set,
}

pub(super) fn filter_facts(filter: &crate::model::Filter) -> FilterFacts {
    let mut interface_tests: Vec<Test> = Vec::new();
    let mut uses_own = false;
    let mut uses_state = false;
    let mut asks_connection_marks = false;
    let mut asks_status = false;
    each_test(filter, &mut |test| match test {
        Test::InZone(_) | Test::OutZone(_) | Test::InVrf(_) | Test::InName(_) | Test::OutName(_)
            if !interface_tests.contains(test) =>
        {
            interface_tests.push(test.clone());
        }
        Test::SourceIsOwn | Test::DestinationIsOwn => uses_own = true,
        Test::State(_) => uses_state = true,
        Test::Mark { of: Marked::Connection, .. } => asks_connection_marks = true,
        Test::Translated(_) => asks_status = true,
        _ => {}
    });
    let actions = filter.chains.iter().flat_map(|chain| &chain.rules).map(|rule| rule.action);
    let mark_changes = actions.filter_map(|action| match action {
        Action::Mark(change) => Some(change),
        _ => None,
    });
    FilterFacts {
        interface_tests,
        uses_state,
        uses_own,
        marks: mark_uses(filter),
        mark_changes: mark_changes.collect(),
        asks_connection_marks,
        asks_status,
    }
}

pub(super) fn common(space: &mut Space) -> Common {
    let from = space.prefix(Side::Src, LINK_LOCAL_V6);
    let to = space.prefix(Side::Dst, LINK_LOCAL_V6);
    Common {
        families: Family::ALL.map(|family| space.family(family)),
        never_taken: inject::never_taken(space),
        martians: inject::martians(space),
        fragments: {
            let whole = space.fragment(Fragment::Whole);
            space.complement(whole)
        },
        certainly_new: inject::certainly_new(space),
        sure_answers: inject::sure_answers(space),
        icmp_errors: inject::icmp_errors(space),
        to_loopback: space.addresses(Side::Dst, &inject::loopback()),
        multicast: space.addresses(Side::Dst, &inject::multicast()),
        link_local: space.union(from, to),
        with_ports: super::rules::protocols_with_ports(space),
    }
}

pub(super) fn node_facts(
    space: &mut Space,
    network: &Network,
    filters: &[FilterFacts],
    id: NodeId,
) -> NodeFacts {
    let hooks = network.hooks(id);
    let facts = || hooks.iter().map(|hook| &filters[hook.filter.index()]);
    let own: Vec<AddressRange> = network.own_addresses(id).map(AddressRange::single).collect();
    let interfaces = network.node(id).interfaces.iter();
    let broadcasts: Vec<AddressRange> =
        interfaces.flat_map(|interface| inject::broadcasts(network, *interface)).collect();
    let broadcasting = network.node(id).interfaces.iter().filter_map(|interface| {
        let addresses = inject::broadcasts(network, *interface);
        (!addresses.is_empty()).then(|| (*interface, space.addresses(Side::Dst, &addresses)))
    });
    let changes: BTreeSet<MarkChange> = facts().flat_map(|f| &f.mark_changes).copied().collect();
    let uses = |change: &MarkChange| change.is_of_connections();
    let marks = MarkFacts {
        of_connections: facts().any(|f| f.asks_connection_marks) || changes.iter().any(uses),
        of_translation: facts().any(|f| f.asks_status),
        pairs: reachable(&changes).unwrap_or_else(|| vec![(0, 0)]),
    };
    let broadcasting = broadcasting.collect();
    let before_rules: Vec<AddressRange> = broadcasts.iter().copied().chain(inject::loopback()).collect();
    NodeFacts {
        before_rules: space.addresses(Side::Dst, &before_rules),
        broadcasting,
        from_broadcast: space.addresses(Side::Src, &broadcasts),
        to_broadcast: space.addresses(Side::Dst, &broadcasts),
        from_own: space.addresses(Side::Src, &own),
        to_own: space.addresses(Side::Dst, &own),
        own,
        tracks: hooks.iter().any(|hook| network.filter(hook.filter).tracks),
        translates: !network.node(id).translating.is_empty(),
        asks_state: marks.of_connections || facts().any(|f| f.uses_state),
        marks,
        rejects: network.rejects(id),
        inert: hooks.is_empty() && !passes_on(network, id),
    }
}

/// Whether a node may pass anything on that reaches it.
fn passes_on(network: &Network, id: NodeId) -> bool {
    let node = network.node(id);
    Family::ALL.iter().any(|family| network.forwards(id, *family, Reading::May))
        || node.role == Role::Internet
        || node.kind != Kind::Linux
        || node.existence != Existence::Described
        || node.source_routing.holds(Reading::May)
        || node.multicast_forwarding.holds(Reading::May)
}

/// Packets to groups as an interface sees them: those of its segment, and the broadcast addresses of its whole node.
pub(super) fn groups_at(
    space: &mut Space,
    network: &Network,
    nodes: &[NodeFacts],
    segments: &[SegmentFacts],
    id: InterfaceId,
) -> Set {
    let interface = network.interface(id);
    let there = match interface.segment {
        Some(segment) => segments[segment.index()].group,
        None => space.addresses(Side::Dst, &inject::multicast()),
    };
    space.union(there, nodes[interface.node.index()].to_broadcast)
}

/// For each segment whether frames may move on from it or to it by themselves.
pub(super) fn joined(network: &Network) -> Vec<bool> {
    let mut joined = vec![false; network.segments.len()];
    for (id, segment) in network.segments_by_id() {
        for join in &segment.joins {
            joined[id.index()] = true;
            joined[join.to.index()] = true;
        }
    }
    joined
}

pub(super) fn segment_facts(space: &mut Space, network: &Network, segment: &Segment) -> SegmentFacts {
    let mut owners = Vec::new();
    for id in &segment.attached {
        let addresses = network.interface(*id).addresses.iter();
        let own: Vec<_> = addresses.map(|a| AddressRange::single(a.net.addr())).collect();
        if !own.is_empty() {
            let to = space.addresses(Side::Dst, &own);
            owners.push((*id, own, to));
        }
    }
    let all: Vec<AddressRange> = owners.iter().flat_map(|(_, own, _)| own.iter().copied()).collect();
    let is_internet = |id: &&InterfaceId| network.node(network.interface(**id).node).role == Role::Internet;
    SegmentFacts {
        owned: space.addresses(Side::Dst, &all),
        group: space.addresses(Side::Dst, &inject::groups(network, segment)),
        internet: segment.attached.iter().find(is_internet).copied(),
        owners,
    }
}
