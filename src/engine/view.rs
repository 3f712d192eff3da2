//! One query's layer over the compiled network: it answers from the base where it can, and compiles by itself what the
//! query changed.

use super::compiled::{Compiled, HookKey};
use super::look::Connections;
use super::marks::Marks;
use super::pieces::Pieces;
use super::query::{Cut, RuleRef};
use super::routes::{Fib, compile_fib, fib_class};
use super::rules::{Accept, Situation, compile_hook};
use super::translate::{Meeting, Parts};
use crate::header::Family;
use crate::model::{Hook, InterfaceId, NodeId, Reading};
use crate::set::{Set, Space};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What has been compiled.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) hooks: FxHashMap<HookKey, Accept>,
    /// Hooks that set marks.
    pub(super) pieces: FxHashMap<HookKey, Arc<Pieces>>,
    pub(super) fibs: FxHashMap<(NodeId, u64, Reading), Arc<Fib>>,
    translations: FxHashMap<Meeting, Arc<Parts>>,
    /// For an interface and the packets that are known to come from its node, those whose source it takes.
    pub(super) plausible: FxHashMap<(InterfaceId, Set), Set>,
}

/// One query's private layer over a compiled network.
pub(super) struct View<'c> {
    pub(super) compiled: &'c Compiled<'c>,
    pub(super) space: Space,
    pub(super) reading: Reading,
    pub(super) cut: Cut,
    pub(super) tables: Tables,
}

impl View<'_> {
    /// Changes the network for what follows. Sets made so far stay good.
    pub(super) fn change(&mut self, cut: &Cut) {
        if (&self.cut.rules, &self.cut.closed) != (&cut.rules, &cut.closed) {
            self.tables.hooks.clear();
            self.tables.pieces.clear();
            self.tables.translations.clear();
        }
        self.cut.clone_from(cut);
    }

    /// The packets that are in a set, and those that are not. Mostly none is, and then nothing new is made.
    pub(super) fn part(&mut self, packets: Set, of: Set) -> (Set, Set) {
        let inside = self.space.intersect(packets, of);
        if inside.is_empty() { (inside, packets) } else { (inside, self.space.minus(packets, of)) }
    }

    /// Every packet for which some list of a node opens a connection; none if it keeps no tables.
    pub(super) fn openable(&mut self, node: NodeId) -> Set {
        if !self.compiled.keeps_tables(node) {
            return Set::EMPTY;
        }
        let mut sets = Vec::new();
        for (hook, incoming, outgoing) in self.compiled.calls(node) {
            for marks in self.compiled.marks_at(node, hook) {
                let pieces =
                    self.stages(node, [&[Hook { family: None, ..hook }]], (incoming, outgoing), marks);
                sets.extend(pieces.iter().map(|(_, accept)| accept.opens));
            }
        }
        sets.sort_unstable();
        sets.dedup();
        self.space.union_all(&sets)
    }

    /// What passes each node as part of a connection, at most. Nobody opens one by a rule that is closed.
    pub(super) fn coarse_connections(&mut self, cut: &Cut) -> Vec<Connections> {
        let mut coarse = self.compiled.coarse[self.reading as usize].clone();
        if cut.closed.is_empty() {
            return coarse;
        }
        let network = self.compiled.network;
        let is_closed = |id| cut.closed.iter().any(|rule| rule.filter == id);
        self.change(&cut.without_doors());
        for (id, _) in network.nodes_by_id() {
            let changed = network.hooks(id).iter().any(|hook| is_closed(hook.filter));
            if changed && self.compiled.keeps_tables(id) {
                let opened = self.openable(id);
                coarse[id.index()] = self.connections(opened);
            }
        }
        self.change(cut);
        coarse
    }

    pub(super) fn compile(
        &mut self,
        key: HookKey,
        hook: Hook,
        incoming: Option<InterfaceId>,
        outgoing: Option<InterfaceId>,
    ) -> Accept {
        let situation = situation(self.compiled, &self.cut, key, (incoming, outgoing));
        compile_hook(&mut self.space, situation, hook)
    }

    pub(super) fn hook(
        &mut self,
        node: NodeId,
        hook: Hook,
        (incoming, outgoing): (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
    ) -> Accept {
        let key = self.compiled.hook_key(node, hook, (incoming, outgoing), marks, self.reading);
        let changed = self.cut.rules.iter().chain(&self.cut.closed).any(|rule| rule.filter == hook.filter);
        if let Some(known) = self.compiled.tables.hooks.get(&key).filter(|_| !changed) {
            return *known;
        }
        if let Some(known) = self.tables.hooks.get(&key) {
            return *known;
        }
        let accept = self.compile(key, hook, incoming, outgoing);
        self.tables.hooks.insert(key, accept);
        accept
    }

    /// What is known of a spot that translates.
    pub(super) fn known_translations(&self, meeting: Meeting) -> Option<Arc<Parts>> {
        self.tables.translations.get(&meeting).map(Arc::clone)
    }

    pub(super) fn keep_translations(&mut self, meeting: Meeting, parts: Arc<Parts>) {
        self.tables.translations.insert(meeting, parts);
    }

    /// Whether the query takes a rule out of its list.
    pub(super) fn is_taken_out(&self, rule: RuleRef) -> bool {
        self.cut.rules.contains(&rule)
    }

    /// Whether the query closes a rule.
    pub(super) fn is_closed_rule(&self, rule: RuleRef) -> bool {
        self.cut.closed.contains(&rule)
    }

    /// What all hooks of a stage that sets no marks accept together.
    pub(super) fn stage(
        &mut self,
        node: NodeId,
        hooks: impl Iterator<Item = Hook>,
        interfaces: (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
    ) -> Accept {
        let mut all = Accept::OPEN;
        for hook in hooks {
            let one = self.hook(node, hook, interfaces, marks);
            let other = match hook.family {
                None => Set::EMPTY,
                Some(Family::V4) => self.compiled.common.families[Family::V6 as usize],
                Some(Family::V6) => self.compiled.common.families[Family::V4 as usize],
            };
            for (mine, theirs) in all.states.iter_mut().zip(one.states) {
                let bound = self.space.union(theirs, other);
                *mine = self.space.intersect(*mine, bound);
            }
            let opened = self.space.minus(one.opens, other);
            all.opens = self.space.union(all.opens, opened);
        }
        all
    }

    /// Where a node routes what came in there, with a mark.
    pub(super) fn fib(&mut self, node: NodeId, incoming: Option<InterfaceId>, mark: u32) -> Arc<Fib> {
        let key = (node, fib_class(self.compiled.network, node, incoming, mark), self.reading);
        if let Some(known) = self.compiled.tables.fibs.get(&key).or_else(|| self.tables.fibs.get(&key)) {
            return Arc::clone(known);
        }
        let network = self.compiled.network;
        let fib = Arc::new(compile_fib(&mut self.space, network, node, (incoming, mark), self.reading));
        self.tables.fibs.insert(key, Arc::clone(&fib));
        fib
    }
}

/// What a hook is compiled for.
pub(super) fn situation<'a>(
    compiled: &'a Compiled<'_>,
    cut: &'a Cut,
    key: HookKey,
    (incoming, outgoing): (Option<InterfaceId>, Option<InterfaceId>),
) -> Situation<'a> {
    Situation {
        network: compiled.network,
        incoming,
        outgoing,
        reassembles: key.reassembles,
        own: key.own.map_or(&[][..], |node| &compiled.nodes[node.index()].own),
        marks: Some(key.marks),
        reading: key.reading,
        cut,
    }
}
