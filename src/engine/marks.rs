//! Marks of packets and of connections within one node.
//!
//! A node has few marks: those that its rules make of 0. So no set holds any. A list is compiled for each pair of marks with
//! which packets come to it, and is then one piece for each pair with which they leave it. Where a node sets no marks there is
//! one pair, and one piece.

use super::look::{Look, LookKind};
use super::query::RuleRef;
use super::rules::{Accept, ListCompiler, Situation, uses_state};
use super::run::Run;
use super::view::{View, situation};
use crate::header::Family;
use crate::model::{Action, Filter, Hook, InterfaceId, MarkChange, Marked, NodeId, Reading, State, Test};
use crate::set::{Set, Space, Summary};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The marks of a packet and of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Marks {
    pub(super) packet: u32,
    pub(super) connection: ConnectionMark,
}

/// The mark of the connection of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ConnectionMark {
    /// This one.
    Known(u32),
    /// None: it is of no connection.
    None,
    /// Any, or none (*must* only).
    Unclear,
}

impl Marks {
    /// With what everything begins where no connection has got any mark.
    pub(super) const NONE: Marks = Marks { packet: 0, connection: ConnectionMark::Known(0) };

    /// What a rule makes of them; `None` if that is not known.
    fn changed(self, change: MarkChange) -> Option<Marks> {
        let known = match (self.connection, change.of) {
            (ConnectionMark::Known(mark), _) => mark,
            (ConnectionMark::None, Marked::Connection) => return Some(self),
            (ConnectionMark::None, Marked::Packet) if change.reads_connection() => return Some(self),
            (ConnectionMark::Unclear, Marked::Connection) => return Some(self),
            (ConnectionMark::Unclear, Marked::Packet) if change.reads_connection() => return None,
            (ConnectionMark::None | ConnectionMark::Unclear, Marked::Packet) => 0,
        };
        let value = change.value(self.packet, known);
        Some(match change.of {
            Marked::Packet => Marks { packet: value, ..self },
            Marked::Connection => Marks { connection: ConnectionMark::Known(value), ..self },
        })
    }

    /// Whether a test of one of them holds, and whether its negation does; `None` if nobody knows.
    pub(super) fn answer(self, of: Marked, mask: u32, values: &[(u32, u32)]) -> Option<(bool, bool)> {
        let mark = match (of, self.connection) {
            (Marked::Packet, _) => self.packet,
            (Marked::Connection, ConnectionMark::Known(mark)) => mark,
            (Marked::Connection, ConnectionMark::None) => return Some((false, false)),
            (Marked::Connection, ConnectionMark::Unclear) => return None,
        };
        let holds = values.iter().any(|(low, high)| (*low..=*high).contains(&(mark & mask)));
        Some((holds, !holds))
    }
}

/// What a node's lists have to do with marks.
pub(super) struct MarkFacts {
    /// The pairs of marks that packets and connections may have there.
    pub(super) pairs: Vec<(u32, u32)>,
    /// Whether something asks for marks of connections, or uses them.
    pub(super) of_connections: bool,
}

impl MarkFacts {
    /// Every pair with which a packet may come to a list, the zeroes first.
    pub(super) fn all(&self) -> impl Iterator<Item = Marks> + '_ {
        let known = |(packet, connection): &(u32, u32)| Marks {
            packet: *packet,
            connection: ConnectionMark::Known(*connection),
        };
        self.pairs.iter().map(known)
    }

    /// Every mark of a packet.
    pub(super) fn packets(&self) -> Vec<u32> {
        let mut marks: Vec<u32> = self.pairs.iter().map(|(packet, _)| *packet).collect();
        marks.dedup();
        marks
    }
}

/// What a chain does with marks, and what it calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MarkUse {
    pub(super) asks: bool,
    pub(super) sets: bool,
}

/// What each chain of a filter does with marks. Calls form no circle.
pub(super) fn mark_uses(filter: &Filter) -> Vec<MarkUse> {
    let mut uses = vec![MarkUse::default(); filter.chains.len()];
    loop {
        let mut grown = false;
        for (index, chain) in filter.chains.iter().enumerate() {
            let mut now = uses[index];
            for rule in &chain.rules {
                now.asks |= rule.matches.iter().any(|one| asks_mark(&one.test));
                match rule.action {
                    Action::Mark(_) => now.sets = true,
                    Action::Jump(to) | Action::Goto(to) => {
                        now.asks |= uses[to].asks;
                        now.sets |= uses[to].sets;
                    }
                    Action::Accept
                    | Action::Drop
                    | Action::Reject
                    | Action::Return
                    | Action::Continue
                    | Action::Translate(_)
                    | Action::Unknown(_) => {}
                }
            }
            grown |= now != uses[index];
            uses[index] = now;
        }
        if !grown {
            return uses;
        }
    }
}

fn asks_mark(test: &Test) -> bool {
    match test {
        Test::Any(any) => any.iter().any(|one| asks_mark(&one.test)),
        test => matches!(test, Test::Mark { .. }),
    }
}

/// A list by the marks with which packets leave it.
pub(super) type Pieces = Vec<(Marks, Accept)>;

/// The pieces of a hook for packets that come to it with these marks.
pub(super) fn compile_pieces(
    space: &mut Space,
    situation: Situation<'_>,
    (hook, uses): (Hook, &[MarkUse]),
    marks: Marks,
) -> Pieces {
    let filter = situation.network.filter(hook.filter);
    let asks_state = uses_state(filter);
    let mut pieces: BTreeMap<Marks, Accept> = BTreeMap::new();
    for state in State::ALL {
        if state != State::New && !asks_state {
            for piece in pieces.values_mut() {
                piece.states[state as usize] = piece.states[State::New as usize];
            }
            continue;
        }
        let list = ListCompiler::new(space, situation, hook.filter, state);
        let mut compiler =
            PieceCompiler { list, uses, known: FxHashMap::default(), plain: FxHashMap::default() };
        let found = compiler.chain(hook.chain, marks);
        for (marks, summary) in found.iter() {
            let list = &mut compiler.list;
            let passes = list.end_of_entry(hook.chain, summary);
            let piece = pieces.entry(*marks).or_insert(Accept::CLOSED);
            piece.states[state as usize] = list.space.union(summary.accept, passes);
            if state == State::New {
                let opening = if filter.tracks { passes } else { Set::EMPTY };
                piece.opens = list.space.union(summary.open, opening);
            }
        }
    }
    pieces.retain(|_, piece| piece.states.iter().any(|set| !set.is_empty()));
    pieces.into_iter().collect()
}

/// What a chain does to packets that come to it with one pair of marks, by those with which they leave it.
type Parts = BTreeMap<Marks, Summary>;

struct PieceCompiler<'s, 'a> {
    list: ListCompiler<'s, 'a>,
    uses: &'a [MarkUse],
    known: FxHashMap<(usize, Marks), Arc<Parts>>,
    /// Chains that set no marks.
    plain: FxHashMap<Marks, FxHashMap<usize, Summary>>,
}

impl PieceCompiler<'_, '_> {
    fn chain(&mut self, index: usize, marks: Marks) -> Arc<Parts> {
        if let Some(known) = self.known.get(&(index, marks)) {
            return Arc::clone(known);
        }
        let rules = &self.list.filter().chains[index].rules;
        let mut walk = Walk { at: BTreeMap::from([(marks, Set::FULL)]), out: BTreeMap::new() };
        let mut position = 0;
        while position < rules.len() {
            if self.sets(rules[position].action) {
                self.setting_rule(index, position, &mut walk);
                position += 1;
                continue;
            }
            let next = rules[position..].iter().position(|rule| self.sets(rule.action));
            let end = next.map_or(rules.len(), |next| position + next);
            self.run(&mut walk, |list| list.parts(index, position..end));
            position = end;
        }
        self.run(&mut walk, |list| list.policy(index).into_iter().collect());
        for (marks, left) in walk.at {
            let part = walk.out.entry(marks).or_insert(Summary::DROP);
            part.fall = self.list.space.union(part.fall, left);
        }
        let parts = Arc::new(walk.out);
        self.known.insert((index, marks), Arc::clone(&parts));
        parts
    }

    /// Whether a rule sets a mark, or calls a chain that does.
    fn sets(&self, action: Action) -> bool {
        match action {
            Action::Mark(_) => true,
            Action::Jump(to) | Action::Goto(to) => self.uses[to].sets,
            Action::Accept
            | Action::Drop
            | Action::Reject
            | Action::Return
            | Action::Continue
            | Action::Translate(_)
            | Action::Unknown(_) => false,
        }
    }

    /// Passes everything through rules that set no marks.
    fn run(&mut self, walk: &mut Walk, parts: impl Fn(&mut ListCompiler<'_, '_>) -> Vec<Summary>) {
        for (marks, here) in std::mem::take(&mut walk.at) {
            self.list.change_marks(marks, &mut self.plain);
            let parts = parts(&mut self.list);
            let summary = self.list.space.compose_all(&parts);
            let space = &mut *self.list.space;
            let fall = space.intersect(here, summary.fall);
            walk.leave(space, marks, here, Summary { fall: Set::EMPTY, ..summary });
            walk.go_on(space, marks, fall);
        }
    }

    fn setting_rule(&mut self, chain: usize, position: usize, walk: &mut Walk) {
        let place = RuleRef { filter: self.list.id(), chain, rule: position };
        let cut = self.list.cut();
        if cut.rules.contains(&place) {
            return;
        }
        let rule = &self.list.filter().chains[chain].rules[position];
        let closed = cut.closed.contains(&place);
        for (marks, here) in std::mem::take(&mut walk.at) {
            self.list.change_marks(marks, &mut self.plain);
            let (certain, possible) = self.list.conditions(&rule.matches);
            let (take, stays) = match self.list.reading() {
                Reading::May => (possible, certain),
                Reading::Must => (certain, possible),
            };
            let taken = self.list.space.intersect(here, take);
            let rest = self.list.space.minus(here, stays);
            match rule.action {
                _ if closed => walk.go_on(self.list.space, marks, rest),
                Action::Mark(change) => {
                    let changed = marks.changed(change);
                    // Whether it fits or not makes no difference.
                    let rest = if changed == Some(marks) { here } else { rest };
                    walk.go_on(self.list.space, marks, rest);
                    if let Some(changed) = changed {
                        walk.go_on(self.list.space, changed, taken);
                    }
                }
                Action::Jump(to) | Action::Goto(to) => {
                    walk.go_on(self.list.space, marks, rest);
                    let called = self.chain(to, marks);
                    let jumps = matches!(rule.action, Action::Jump(_));
                    for (marks, part) in called.iter() {
                        let space = &mut *self.list.space;
                        let back = space.union(part.fall, part.ret);
                        let ret = if jumps { Set::EMPTY } else { back };
                        walk.leave(space, *marks, taken, Summary { ret, fall: Set::EMPTY, ..*part });
                        if jumps {
                            let back = space.intersect(taken, back);
                            walk.go_on(space, *marks, back);
                        }
                    }
                }
                // These set nothing.
                Action::Accept
                | Action::Drop
                | Action::Reject
                | Action::Return
                | Action::Continue
                | Action::Translate(_)
                | Action::Unknown(_) => walk.go_on(self.list.space, marks, here),
            }
        }
    }
}

/// Packets on their way through a chain.
struct Walk {
    /// Those that have come so far, by their marks.
    at: BTreeMap<Marks, Set>,
    /// What has become of the others.
    out: Parts,
}

impl Walk {
    fn go_on(&mut self, space: &mut Space, marks: Marks, packets: Set) {
        if !packets.is_empty() {
            let known = self.at.entry(marks).or_insert(Set::EMPTY);
            *known = space.union(*known, packets);
        }
    }

    /// Notes how packets leave the chain.
    fn leave(&mut self, space: &mut Space, marks: Marks, packets: Set, summary: Summary) {
        let part = self.out.entry(marks).or_insert(Summary::DROP);
        for (known, more) in
            [(&mut part.accept, summary.accept), (&mut part.open, summary.open), (&mut part.ret, summary.ret)]
        {
            let more = space.intersect(packets, more);
            *known = space.union(*known, more);
        }
    }
}

impl View<'_> {
    /// The pieces of one hook.
    fn pieces(
        &mut self,
        node: NodeId,
        hook: Hook,
        interfaces: (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
    ) -> Arc<Pieces> {
        if !self.compiled.mark_use(hook).sets {
            return Arc::new(vec![(marks, self.hook(node, hook, interfaces, marks))]);
        }
        let key = self.compiled.hook_key(node, hook, interfaces, marks, self.reading);
        if let Some(known) = self.tables.pieces.get(&key) {
            return Arc::clone(known);
        }
        let situation = situation(self.compiled, &self.cut, key, interfaces);
        let uses = self.compiled.mark_uses(hook.filter);
        let pieces = Arc::new(compile_pieces(&mut self.space, situation, (hook, uses), marks));
        self.tables.pieces.insert(key, Arc::clone(&pieces));
        pieces
    }

    /// What all hooks of some stages accept together, by the marks with which packets leave the last.
    pub(super) fn stages<const N: usize>(
        &mut self,
        node: NodeId,
        stages: [&[Hook]; N],
        interfaces: (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
    ) -> Pieces {
        let hooks = stages.into_iter().flatten().copied();
        if hooks.clone().all(|hook| !self.compiled.mark_use(hook).sets) {
            return vec![(marks, self.stage(node, hooks, interfaces, marks))];
        }
        let mut all = BTreeMap::from([(marks, Accept::OPEN)]);
        for hook in hooks {
            all = self.behind(node, hook, interfaces, all);
        }
        all.into_iter().collect()
    }

    /// What all hooks of a stage accept together, behind which nobody asks for marks.
    pub(super) fn last_stage(
        &mut self,
        node: NodeId,
        hooks: &[Hook],
        interfaces: (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
    ) -> Accept {
        let mut pieces = self.stages(node, [hooks], interfaces, marks).into_iter();
        let mut all = pieces.next().map_or(Accept::CLOSED, |(_, accept)| accept);
        pieces.for_each(|(_, accept)| all.add(&mut self.space, &accept));
        all
    }

    /// Puts one hook behind others.
    pub(super) fn behind(
        &mut self,
        node: NodeId,
        hook: Hook,
        interfaces: (Option<InterfaceId>, Option<InterfaceId>),
        so_far: BTreeMap<Marks, Accept>,
    ) -> BTreeMap<Marks, Accept> {
        let other = match hook.family {
            None => Set::EMPTY,
            Some(Family::V4) => self.compiled.common.families[Family::V6 as usize],
            Some(Family::V6) => self.compiled.common.families[Family::V4 as usize],
        };
        let mut next: BTreeMap<Marks, Accept> = BTreeMap::new();
        for (marks, before) in so_far {
            if !other.is_empty() {
                let unbound = before.within(&mut self.space, other);
                next.entry(marks).or_insert(Accept::CLOSED).add(&mut self.space, &unbound);
            }
            for (marks, one) in self.pieces(node, hook, interfaces, marks).iter() {
                let bound = one.less(&mut self.space, other);
                let both = before.and(&mut self.space, &bound);
                next.entry(*marks).or_insert(Accept::CLOSED).add(&mut self.space, &both);
            }
        }
        next.retain(|_, accept| accept.states.iter().any(|set| !set.is_empty()));
        next
    }
}

impl Accept {
    /// Nothing passes.
    pub(super) const CLOSED: Accept = Accept { states: [Set::EMPTY; State::ALL.len()], opens: Set::EMPTY };

    fn map(&self, mut change: impl FnMut(Set) -> Set) -> Accept {
        Accept { states: self.states.map(&mut change), opens: change(self.opens) }
    }

    fn within(&self, space: &mut Space, packets: Set) -> Accept {
        self.map(|set| space.intersect(set, packets))
    }

    fn less(&self, space: &mut Space, packets: Set) -> Accept {
        if packets.is_empty() { *self } else { self.map(|set| space.minus(set, packets)) }
    }

    /// What passes both, and opens a connection at one of them.
    fn and(&self, space: &mut Space, other: &Accept) -> Accept {
        let mut both = *self;
        for (mine, theirs) in both.states.iter_mut().zip(other.states) {
            *mine = space.intersect(*mine, theirs);
        }
        let opens = space.union(self.opens, other.opens);
        both.opens = space.intersect(opens, both.states[State::New as usize]);
        both
    }

    fn add(&mut self, space: &mut Space, other: &Accept) {
        for (mine, theirs) in self.states.iter_mut().zip(other.states) {
            *mine = space.union(*mine, theirs);
        }
        self.opens = space.union(self.opens, other.opens);
    }
}

impl Run<'_, '_> {
    /// The marks with which packets of a look come to a node, or are made there.
    pub(super) fn first_marks(
        &self,
        view: &View<'_>,
        node: NodeId,
        receiver: Option<InterfaceId>,
        look: Look,
    ) -> Vec<Marks> {
        let facts = &view.compiled.nodes[node.index()].marks;
        if facts.pairs.len() == 1 && !facts.of_connections {
            return vec![Marks::NONE];
        }
        let connections = if facts.of_connections {
            self.first_connection_marks(facts, look)
        } else {
            vec![ConnectionMark::Known(0)]
        };
        // What comes out of a tunnel may keep the mark of what it was wrapped in (`skb_scrub_packet`).
        let segment = receiver.and_then(|id| self.network.interface(id).segment);
        let wrapped = segment.is_some_and(|id| self.network.segment(id).tunnel.is_some());
        let packets = if wrapped && self.query.reading == Reading::May { facts.packets() } else { vec![0] };
        let with = |packet: u32| connections.iter().map(move |mark| Marks { packet, connection: *mark });
        packets.into_iter().flat_map(with).collect()
    }

    fn first_connection_marks(&self, facts: &MarkFacts, look: Look) -> Vec<ConnectionMark> {
        let mut marks: Vec<u32> = facts.pairs.iter().map(|(_, connection)| *connection).collect();
        marks.sort_unstable();
        marks.dedup();
        let all = || marks.iter().map(|mark| ConnectionMark::Known(*mark)).collect();
        match (self.query.reading, look.kind) {
            (_, LookKind::State(State::Invalid | State::Untracked)) => vec![ConnectionMark::None],
            // A packet that repeats one before its answer is new, too, and has what that one left.
            (Reading::May, LookKind::State(State::New | State::Established | State::Related)) => all(),
            (Reading::Must, LookKind::State(State::New)) if look.opens() => vec![ConnectionMark::Known(0)],
            (Reading::Must, LookKind::State(_)) if marks.len() == 1 => all(),
            (_, LookKind::State(_) | LookKind::AnyFresh) => vec![ConnectionMark::Unclear],
        }
    }
}
