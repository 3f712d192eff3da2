//! The network as sets: what each hook accepts, where each node routes, what each interface admits. [`Compiled`] is made
//! once, by all threads, frozen and shared.

use super::alike::Group;
use super::facts::{
    Common, FilterFacts, NodeFacts, SegmentFacts, common, filter_facts, groups_at, joined, node_facts,
    segment_facts,
};
use super::look::Connections;
use super::marks::{MarkUse, Marks};
use super::parallel;
use super::query::{Cut, Limits};
use super::routes::{Fib, compile_fib, fib_class, routes_all_alike};
use super::rules::Accept;
use super::view::{Tables, View};
use crate::model::filter::interface_test;
use crate::model::{Assumption, FilterId, Hook, InterfaceId, Network, NodeId, Reading, State};
use crate::set::{Frozen, Set, Space};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A hook as its rules see it: interfaces that no rule tells apart are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct HookKey {
    filter: FilterId,
    chain: usize,
    incoming: u64,
    outgoing: u64,
    pub(super) reassembles: bool,
    pub(super) own: Option<NodeId>,
    /// With which marks packets come to it, if that matters.
    pub(super) marks: Marks,
    pub(super) reading: Reading,
}

/// A node, what its routing rules see of a packet, and how it is read.
pub(super) type FibKey = (NodeId, u64, Reading);

const BOTH: [Reading; 2] = [Reading::May, Reading::Must];

/// The interfaces of a packet, and the hook that it meets.
type Call = (Option<InterfaceId>, Option<InterfaceId>, Hook);

/// A network compiled to sets, shared by all queries.
pub struct Compiled<'n> {
    /// The network.
    pub(super) network: &'n Network,
    filters: Vec<FilterFacts>,
    pub(super) nodes: Vec<NodeFacts>,
    pub(super) segments: Vec<SegmentFacts>,
    pub(super) common: Common,
    /// For each interface the packets to groups that its node takes there.
    groups: Vec<Set>,
    /// For each segment whether frames may move on from it or to it by themselves.
    pub(super) joined: Vec<bool>,
    /// Hosts that a coarse run need not tell apart.
    pub(super) alike: Vec<Group>,
    /// For each interface the first of its node that nothing tells from it behind their ingress lists.
    pub(super) same_inside: Vec<InterfaceId>,
    base: Arc<Frozen>,
    pub(super) tables: Tables,
    /// For each reading and node, what passes once everything is open that any list lets open.
    pub(super) coarse: [Vec<Connections>; 2],
}

impl<'n> Compiled<'n> {
    /// Compiles every hook and table, on all threads of the pool.
    pub fn new(network: &'n Network) -> Compiled<'n> {
        let filters: Vec<FilterFacts> = network.filters.iter().map(filter_facts).collect();
        let mut space = Space::new();
        let nodes: Vec<NodeFacts> = (0..network.nodes.len())
            .map(|index| node_facts(&mut space, network, &filters, NodeId::at(index)))
            .collect();
        let segments: Vec<SegmentFacts> =
            network.segments.iter().map(|segment| segment_facts(&mut space, network, segment)).collect();
        let common = common(&mut space);
        let groups = (0..network.interfaces.len()).map(InterfaceId::at);
        let groups = groups.map(|id| groups_at(&mut space, network, &nodes, &segments, id)).collect();
        let mut compiled = Compiled {
            network,
            nodes,
            segments,
            common,
            filters,
            groups,
            joined: joined(network),
            alike: Vec::new(),
            same_inside: Vec::new(),
            base: space.freeze(),
            tables: Tables::default(),
            coarse: Default::default(),
        };
        compiled.compile_hooks();
        compiled.compile_fibs();
        compiled.compile_connections();
        let mut space = Space::over(Arc::clone(&compiled.base));
        compiled.alike = compiled.find_alike(&mut space);
        compiled.base = space.freeze();
        compiled.same_inside = compiled.find_same_inside();
        compiled
    }

    /// One query's layer.
    pub(super) fn view(&self, reading: Reading, cut: &Cut, limits: Limits) -> View<'_> {
        let space = Space::over(Arc::clone(&self.base)).limited(limits.nodes);
        View { compiled: self, space, reading, cut: cut.clone(), tables: Tables::default() }
    }

    fn compile_hooks(&mut self) {
        let mut hooks: BTreeSet<(HookKey, Call)> = BTreeSet::new();
        let mut seen: FxHashSet<HookKey> = FxHashSet::default();
        for index in 0..self.nodes.len() {
            let node = NodeId::at(index);
            // What sets marks is compiled where it is needed.
            let mut calls = self.calls(node);
            calls.retain(|(hook, _, _)| !self.mark_use(*hook).sets);
            for (hook, incoming, outgoing) in calls {
                for marks in self.marks_at(node, hook) {
                    for reading in [Reading::May, Reading::Must] {
                        let key = self.hook_key(node, hook, (incoming, outgoing), marks, reading);
                        if seen.insert(key) {
                            hooks.insert((key, (incoming, outgoing, hook)));
                        }
                    }
                }
            }
        }
        let hooks: Vec<_> = hooks.into_iter().collect();
        let shared = &*self;
        let parts = parallel::chunks(&hooks, |chunk| {
            let mut view =
                shared.view(Reading::May, &Cut::default(), Limits { nodes: usize::MAX, ..Limits::default() });
            let accepts: Vec<Accept> = chunk
                .iter()
                .map(|(key, (incoming, outgoing, hook))| view.compile(*key, *hook, *incoming, *outgoing))
                .collect();
            (view.space, accepts)
        });
        let mut space = Space::over(Arc::clone(&self.base));
        let mut table = FxHashMap::default();
        let mut keys = hooks.iter().map(|(key, _)| *key);
        for (other, accepts) in parts {
            let flat: Vec<Set> =
                accepts.iter().flat_map(|accept| accept.states.into_iter().chain([accept.opens])).collect();
            let own = space.import_all(&other, &flat);
            for sets in own.chunks_exact(State::ALL.len() + 1) {
                let mut accept = Accept::OPEN;
                accept.states.copy_from_slice(&sets[..State::ALL.len()]);
                accept.opens = sets[State::ALL.len()];
                if let Some(key) = keys.next() {
                    table.insert(key, accept);
                }
            }
        }
        self.tables.hooks = table;
        self.base = space.freeze();
    }

    fn compile_fibs(&mut self) {
        let mut wanted: BTreeSet<FibKey> = BTreeSet::new();
        let mut calls: Vec<(FibKey, (Option<InterfaceId>, u32))> = Vec::new();
        // Keys of nodes that route everything alike, in each reading: these are compiled for the first key only.
        let mut same: Vec<[FibKey; 2]> = Vec::new();
        for (id, node) in self.network.nodes_by_id() {
            let plain = routes_all_alike(node);
            let mut first = None;
            let marks = self.nodes[id.index()].marks.packets();
            for incoming in std::iter::once(None).chain(node.interfaces.iter().map(|i| Some(*i))) {
                for (mark, reading) in marks.iter().flat_map(|mark| BOTH.map(|reading| (*mark, reading))) {
                    let key = (id, fib_class(self.network, id, incoming, mark), reading);
                    if !wanted.insert(key) {
                        continue;
                    }
                    match first {
                        Some(first) if plain => same.push([key, first]),
                        _ => calls.push((key, (incoming, mark))),
                    }
                    first.get_or_insert(key);
                }
            }
        }
        let shared = &*self;
        let parts = parallel::chunks(&calls, |chunk| {
            let mut space = Space::over(Arc::clone(&shared.base));
            let fibs: Vec<Fib> = chunk
                .iter()
                .map(|((id, _, reading), came)| compile_fib(&mut space, shared.network, *id, *came, *reading))
                .collect();
            (space, fibs)
        });
        let mut space = Space::over(Arc::clone(&self.base));
        let mut table = FxHashMap::default();
        let mut keys = calls.iter().map(|(key, _)| *key);
        for (other, fibs) in parts {
            let flat: Vec<Set> = fibs
                .iter()
                .flat_map(|fib| fib.sends.iter().map(|(_, set)| *set).chain([fib.unroutable]))
                .collect();
            let mut own = space.import_all(&other, &flat).into_iter();
            for fib in fibs {
                let sends = fib.sends.iter().filter_map(|(hop, _)| Some((*hop, own.next()?))).collect();
                let unroutable = own.next().unwrap_or(Set::FULL);
                if let Some(key) = keys.next() {
                    table.insert(key, Arc::new(Fib { sends, unroutable }));
                }
            }
        }
        for [key, first] in same {
            if let Some(fib) = table.get(&first).map(Arc::clone) {
                table.insert(key, fib);
            }
        }
        self.tables.fibs = table;
        self.base = space.freeze();
    }

    fn compile_connections(&mut self) {
        let mut base = Arc::clone(&self.base);
        for reading in [Reading::May, Reading::Must] {
            let mut view =
                self.view(reading, &Cut::default(), Limits { nodes: usize::MAX, ..Limits::default() });
            view.space = Space::over(base);
            let mut known: FxHashMap<Set, Connections> = FxHashMap::default();
            let of_nodes = (0..self.nodes.len()).map(|index| {
                let opened = view.openable(NodeId::at(index));
                *known.entry(opened).or_insert_with(|| view.connections(opened))
            });
            let of_nodes = of_nodes.collect();
            base = view.space.freeze();
            self.coarse[reading as usize] = of_nodes;
        }
        self.base = base;
    }

    /// Packets to groups that the node of an interface takes there.
    pub(super) fn group_at(&self, interface: InterfaceId) -> Set {
        self.groups[interface.index()]
    }

    /// Where a node routes what came in there without a mark, in the network as described.
    pub(super) fn known_fib(
        &self,
        node: NodeId,
        incoming: Option<InterfaceId>,
        reading: Reading,
    ) -> Option<&Fib> {
        let key = (node, fib_class(self.network, node, incoming, 0), reading);
        self.tables.fibs.get(&key).map(|fib| &**fib)
    }

    /// Every call of a hook that a packet at this node can make; interfaces that look the same are named once.
    pub(super) fn calls(&self, id: NodeId) -> Vec<(Hook, Option<InterfaceId>, Option<InterfaceId>)> {
        let node = self.network.node(id);
        let interfaces = || node.interfaces.iter().map(|i| Some(*i));
        let home = (!node.translating.output.is_empty()).then_some(Some(InterfaceId::LOOPBACK));
        let sends = || interfaces().chain(home);
        let mut calls = Vec::new();
        for hook in &node.prerouting {
            calls.extend(self.distinct(*hook, interfaces()).map(|i| (*hook, i, None)));
        }
        for hook in &node.input {
            calls.extend(self.distinct(*hook, interfaces()).map(|i| (*hook, i, None)));
        }
        for hook in node.own_lists() {
            calls.extend(self.distinct(*hook, sends()).map(|o| (*hook, None, o)));
        }
        for hook in &node.forward {
            for incoming in self.distinct(*hook, interfaces()) {
                calls.extend(self.distinct(*hook, interfaces()).map(|o| (*hook, incoming, o)));
            }
        }
        for interface in &node.interfaces {
            for hook in &self.network.interface(*interface).ingress {
                calls.push((*hook, Some(*interface), None));
            }
            for hook in &self.network.interface(*interface).egress {
                let sources = std::iter::once(None).chain(interfaces());
                calls.extend(self.distinct(*hook, sources).map(|i| (*hook, i, Some(*interface))));
            }
        }
        calls
    }

    fn distinct(
        &self,
        hook: Hook,
        interfaces: impl Iterator<Item = Option<InterfaceId>>,
    ) -> impl Iterator<Item = Option<InterfaceId>> {
        let mut seen = FxHashSet::default();
        let looks: Vec<_> = interfaces
            .filter(|i| seen.insert((self.look(hook.filter, *i, true), self.look(hook.filter, *i, false))))
            .collect();
        looks.into_iter()
    }

    /// How the rules of a filter see an interface on one side: the answers to their tests as bits.
    pub(super) fn look(&self, filter: FilterId, interface: Option<InterfaceId>, incoming: bool) -> u64 {
        let tests = &self.filters[filter.index()].interface_tests;
        if tests.len() > 63 {
            // Too many tests for one number: every interface then is its own class.
            return interface.map_or(u64::MAX, |id| (1 << 63) | u64::from(id.0));
        }
        let (i, o) = if incoming { (interface, None) } else { (None, interface) };
        let answers = tests.iter().map(|test| interface_test(test, self.network, i, o) == Some(true));
        answers.enumerate().fold(0, |bits, (index, yes)| bits | (u64::from(yes) << index))
    }

    pub(super) fn hook_key(
        &self,
        node: NodeId,
        hook: Hook,
        (incoming, outgoing): (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
        reading: Reading,
    ) -> HookKey {
        let uses = self.mark_use(hook);
        HookKey {
            marks: if uses.asks || uses.sets { marks } else { Marks::NONE },
            filter: hook.filter,
            chain: hook.chain,
            incoming: self.look(hook.filter, incoming, true),
            outgoing: self.look(hook.filter, outgoing, false),
            reassembles: self.reassembles(node),
            own: self.filters[hook.filter.index()].uses_own.then_some(node),
            reading,
        }
    }

    /// What the chain of a hook does with marks.
    pub(super) fn mark_use(&self, hook: Hook) -> MarkUse {
        self.mark_uses(hook.filter)[hook.chain]
    }

    /// What each chain of a filter does with them.
    pub(super) fn mark_uses(&self, filter: FilterId) -> &[MarkUse] {
        &self.filters[filter.index()].marks
    }

    /// The marks with which packets may come to a hook of a node, as far as they matter there.
    pub(super) fn marks_at(&self, node: NodeId, hook: Hook) -> Vec<Marks> {
        let MarkUse { asks, sets } = self.mark_use(hook);
        if asks || sets { self.nodes[node.index()].marks.all().collect() } else { vec![Marks::NONE] }
    }

    /// Whether a node keeps connection tables that anything hangs on.
    pub(super) fn keeps_tables(&self, node: NodeId) -> bool {
        let facts = &self.nodes[node.index()];
        facts.tracks && (facts.asks_state || facts.translates)
    }

    /// Whether a node translates addresses.
    pub(super) fn translates(&self, node: NodeId) -> bool {
        self.nodes[node.index()].translates
    }

    /// Whether any node does, so that a packet may arrive as another than was sent.
    pub(super) fn translates_anywhere(&self) -> bool {
        self.nodes.iter().any(|node| node.translates)
    }

    /// Whether a node sees whole datagrams.
    pub(super) fn reassembles(&self, node: NodeId) -> bool {
        self.nodes[node.index()].tracks || self.network.assumes(Assumption::Reassembled)
    }
}
