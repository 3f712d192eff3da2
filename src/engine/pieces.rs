//! Lists by marks: compiled for each pair with which packets come to them, in one piece for each pair with which they leave.

use super::marks::{MarkUse, Marks};
use super::query::RuleRef;
use super::rules::{Accept, ListCompiler, Situation, uses_state};
use super::view::{View, situation};
use crate::header::Family;
use crate::model::{Action, Hook, InterfaceId, NodeId, Reading, State};
use crate::set::{Set, Space, Summary};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Packets of a node itself past the lists of a stage.
pub(super) struct OwnPiece {
    pub(super) node: NodeId,
    pub(super) marks: Marks,
    /// The mark with which they were routed again last, if they were.
    pub(super) rerouted: Option<u32>,
    pub(super) accept: Accept,
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

    /// What all hooks of a stage of a node's own packets accept together, by the marks with which they leave it, and by the mark
    /// with which they are routed again there.
    pub(super) fn own_stage(
        &mut self,
        node: NodeId,
        hooks: &[Hook],
        outgoing: Option<InterfaceId>,
        marks: Marks,
    ) -> Vec<OwnPiece> {
        let interfaces = (None, outgoing);
        if hooks.iter().all(|hook| !self.compiled.mark_use(*hook).sets) {
            let accept = self.stage(node, hooks.iter().copied(), interfaces, marks);
            return vec![OwnPiece { node, marks, rerouted: None, accept }];
        }
        let mut all = BTreeMap::from([((marks, None), Accept::OPEN)]);
        for hook in hooks {
            let reroutes = self.compiled.network.node(node).rerouting.contains(hook);
            let mut next: BTreeMap<(Marks, Option<u32>), Accept> = BTreeMap::new();
            for ((before, rerouted), accept) in all {
                for (marks, accept) in
                    self.behind(node, *hook, interfaces, BTreeMap::from([(before, accept)]))
                {
                    let changed = reroutes && marks.packet != before.packet;
                    let rerouted = if changed { Some(marks.packet) } else { rerouted };
                    next.entry((marks, rerouted)).or_insert(Accept::CLOSED).add(&mut self.space, &accept);
                }
            }
            all = next;
        }
        let piece = |((marks, rerouted), accept)| OwnPiece { node, marks, rerouted, accept };
        all.into_iter().map(piece).collect()
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
