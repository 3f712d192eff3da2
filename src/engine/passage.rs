//! How packets pass a node that translates: what they become on their way in, and on their way out.
//!
//! A connection is remembered in three forms: as its first packet came to the node, as it was routed, and as it went on.
//! What follows it, either way, becomes what these say (SEMANTICS.md section 5.3).

use super::look::{Look, LookKind};
use super::marks::Marks;
use super::run::Run;
use super::translate::{Applied, Meeting, Parts, Spot};
use super::view::View;
use crate::model::translation::End;
use crate::model::{InterfaceId, NodeId, Reading, State};
use crate::set::{Field, Set};

/// What the tracker takes packets for, and so what translates them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// First packets: the rules are asked.
    Fresh,
    /// Of no connection, or at a node that translates nothing: they stay what they are.
    Plain,
    /// They repeat this session of the node.
    Repeats(usize),
    /// They answer it.
    Reverses(usize),
    /// Errors about some session of the node (*may* only).
    Error,
}

/// What tells the sessions of a node apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// What has translated their destination, and their source.
    rules: [Option<Applied>; 2],
    /// Whether filters take what follows for established. Else it is only translated.
    admits: bool,
}

/// Connections that the same rules have translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    key: Key,
    /// The three forms of their packets.
    forth: Forms,
    /// The same for what answers, seen from the other side: with the types of ICMP that answer.
    back: Forms,
}

/// Packets as they came, as they were routed, and as they went on; flags and fragments are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    came: Set,
    routed: Set,
    went: Set,
}

impl Forms {
    const NONE: Forms = Forms { came: Set::EMPTY, routed: Set::EMPTY, went: Set::EMPTY };
}

/// The sessions of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    list: Vec<Session>,
    /// Packets to any end of any of them, and from any.
    ends: Option<[Set; 2]>,
}

/// Connections as they are opened, by what has translated them.
pub(super) type Growing = (Key, Forms);

impl Sessions {
    /// What translates the destinations and the sources of a session, each with the packets that it translated.
    pub(super) fn translations(&self, index: usize) -> [(Option<Applied>, Set); 2] {
        let Session { key: Key { rules: [destination, source], .. }, forth, .. } = self.list[index];
        [(destination, forth.came), (source, forth.routed)]
    }

    fn ends(&self) -> [Set; 2] {
        self.ends.unwrap_or([Set::EMPTY; 2])
    }

    /// Packets to any end of any session.
    pub(super) fn to_ends(&self) -> Set {
        self.ends()[0]
    }
}

/// Packets of one look on their way through a node.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    /// As they are routed.
    pub(super) routed: Set,
    /// As they came, by what has translated their destination.
    pub(super) parts: Parts,
}

/// Packets as they leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub(super) set: Set,
    /// What has translated their source, if they are the first of a connection.
    pub(super) rule: Option<Applied>,
    /// What they were as they were routed.
    pub(super) routed: Set,
}

impl Leaving {
    /// Packets that nothing has translated.
    pub(super) fn unchanged(set: Set) -> Leaving {
        Leaving { set, rule: None, routed: set }
    }
}

impl Course {
    /// The course of packets of no session, by how the tracker looks at them.
    pub(super) fn of(kind: LookKind) -> Course {
        match kind {
            LookKind::AnyFresh | LookKind::State(State::New) => Course::Fresh,
            LookKind::State(State::Invalid | State::Untracked) => Course::Plain,
            LookKind::State(State::Established | State::Related) => Course::Error,
        }
    }
}

/// How packets changed on their way through a node, for walking back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// Where their destination was translated.
    entry: Meeting,
    /// What the tracker took them for.
    pub(super) course: Course,
    rule: Option<Applied>,
    /// As they came.
    came: Set,
    /// As they were routed and passed the lists.
    routed: Set,
}

impl Run<'_, '_> {
    /// Adds to the ways in which a tracker may look at packets those of the sessions of its node. `fresh` are those of
    /// packets of no session.
    pub(super) fn session_looks(
        &self,
        view: &mut View<'_>,
        node: NodeId,
        packets: Set,
        fresh: &[(LookKind, Set)],
        looks: &mut Vec<Look>,
    ) {
        let established = [(LookKind::State(State::Established), Set::FULL)];
        for (index, session) in self.sessions[node.index()].list.iter().enumerate() {
            let repeating = view.space.intersect(packets, session.forth.came);
            let answers = view.space.mirror(session.back.went);
            let answering = view.space.intersect(packets, answers);
            let kinds = if session.key.admits { &established[..] } else { fresh };
            let mut courses = vec![(repeating, Course::Repeats(index)), (answering, Course::Reverses(index))];
            if view.reading == Reading::Must {
                // What only repeats is new until there is an answer, and not every answer is taken for one.
                courses.remove(0);
                if session.key.admits {
                    let sure = view.compiled.common.sure_answers;
                    courses[0].0 = view.space.intersect(answering, sure);
                }
            }
            for (packets, course) in courses {
                for (kind, within) in kinds {
                    let packets = view.space.intersect(packets, *within);
                    if !packets.is_empty() {
                        looks.push(Look { kind: *kind, packets, course });
                    }
                }
            }
        }
    }

    /// What packets become at a spot that translates destinations: as what they are routed.
    pub(super) fn enter(&self, view: &mut View<'_>, look: Look, packets: Set, meeting: Meeting) -> Entered {
        let as_they_are = |packets: Set| Entered { routed: packets, parts: vec![(None, packets)] };
        if !view.compiled.translates(meeting.node) {
            return as_they_are(packets);
        }
        let sessions = &self.sessions[meeting.node.index()];
        let routed = match look.course {
            Course::Plain => return as_they_are(packets),
            Course::Fresh => {
                let mut parts = Vec::new();
                let mut sets = Vec::new();
                for (rule, set) in view.translations(meeting).iter() {
                    let mut came = view.space.intersect(packets, *set);
                    if let (Reading::Must, Some(_), Some(receiver)) = (view.reading, rule, meeting.incoming) {
                        // Linux does not pass on what was sent to all on the line, whatever its destination has become.
                        let groups = view.compiled.group_at(receiver);
                        came = view.space.minus(came, groups);
                    }
                    // What may be of no connection, too, is certain only where that makes no difference.
                    if look.kind == LookKind::AnyFresh {
                        came = view.fixed(came, *rule);
                        parts.push((None, came));
                        sets.push(came);
                        continue;
                    }
                    parts.push((*rule, came));
                    sets.push(view.image(came, *rule, End::Destination));
                }
                parts.retain(|(_, set)| !set.is_empty());
                return Entered { routed: view.space.union_all(&sets), parts };
            }
            Course::Repeats(index) => {
                let Session { key: Key { rules, .. }, forth, .. } = sessions.list[index];
                let moved = view.image(packets, rules[0], End::Destination);
                view.space.intersect(moved, forth.routed)
            }
            Course::Reverses(index) => {
                let Session { key: Key { rules, .. }, back, .. } = sessions.list[index];
                let seen = view.space.mirror(packets);
                let seen = view.space.intersect(seen, back.went);
                let before = view.origin(seen, rules[1], End::Source, back.routed);
                view.space.mirror(before)
            }
            Course::Error => {
                let any = view.space.forget_address(packets, crate::set::Side::Dst);
                let others = view.space.intersect(any, sessions.to_ends());
                view.space.union(packets, others)
            }
        };
        Entered { routed, parts: vec![(None, packets)] }
    }

    /// What packets that passed the lists become before they leave, or are delivered.
    pub(super) fn leave(
        &self,
        view: &mut View<'_>,
        node: NodeId,
        look: Look,
        routed: Set,
        (incoming, outgoing): (Option<InterfaceId>, Option<InterfaceId>),
        marks: Marks,
    ) -> Vec<Leaving> {
        let one = |set: Set| vec![Leaving { set, rule: None, routed }];
        if !view.compiled.translates(node) {
            return one(routed);
        }
        let sessions = &self.sessions[node.index()];
        match look.course {
            Course::Plain => one(routed),
            Course::Fresh => {
                let spot = if outgoing.is_some() { Spot::Postrouting } else { Spot::Input };
                let parts = view.translations(Meeting { node, spot, incoming, outgoing, marks });
                let mut leaving = Vec::new();
                for (rule, set) in parts.iter() {
                    let here = view.space.intersect(routed, *set);
                    if look.kind == LookKind::AnyFresh {
                        leaving.push(Leaving::unchanged(view.fixed(here, *rule)));
                        continue;
                    }
                    let set = view.image(here, *rule, End::Source);
                    leaving.push(Leaving { set, rule: *rule, routed: here });
                }
                leaving
            }
            Course::Repeats(index) => {
                let Session { key: Key { rules, .. }, forth, .. } = sessions.list[index];
                let moved = view.image(routed, rules[1], End::Source);
                one(view.space.intersect(moved, forth.went))
            }
            Course::Reverses(index) => {
                let Session { key: Key { rules, .. }, back, .. } = sessions.list[index];
                let seen = view.space.mirror(routed);
                let seen = view.space.intersect(seen, back.routed);
                let before = view.origin(seen, rules[0], End::Destination, back.came);
                one(view.space.mirror(before))
            }
            Course::Error => {
                let any = view.space.forget_address(routed, crate::set::Side::Src);
                let others = view.space.intersect(any, sessions.ends()[1]);
                // Those that stay what they are come first, so that a path shows one of them if it can.
                [routed, view.space.minus(others, routed)]
                    .map(|set| Leaving { set, rule: None, routed })
                    .to_vec()
            }
        }
    }

    /// Notes how packets changed; `None` where nothing is translated.
    pub(super) fn note_change(
        &mut self,
        view: &View<'_>,
        entry: Meeting,
        look: Look,
        came: Set,
        leaving: Leaving,
    ) -> Option<usize> {
        let alike = look.course == Course::Fresh && look.kind == LookKind::AnyFresh;
        let as_it_is = look.course == Course::Plain || alike;
        if as_it_is || !view.compiled.translates(entry.node) {
            return None;
        }
        let Leaving { rule, routed, .. } = leaving;
        self.changes.push(Change { entry, course: look.course, rule, came, routed });
        Some(self.changes.len() - 1)
    }

    /// Opens the sessions of first packets that left, or were delivered, as these.
    pub(super) fn open_sessions(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        entered: &Entered,
        routed: Set,
        leaving: Leaving,
        admits: bool,
    ) -> Set {
        let routed = view.space.intersect(routed, leaving.routed);
        let passed = view.origin(leaving.set, leaving.rule, End::Source, routed);
        let mut opened = Vec::new();
        for (rule, came) in &entered.parts {
            let came = view.origin(passed, *rule, End::Destination, *came);
            if came.is_empty() {
                continue;
            }
            let mid = view.image(came, *rule, End::Destination);
            let mid = view.space.intersect(mid, passed);
            let went = view.image(mid, leaving.rule, End::Source);
            let went = view.space.intersect(went, leaving.set);
            opened.push(came);
            let forms = Forms { came, routed: mid, went };
            self.grow_session(view, node, Key { rules: [*rule, leaving.rule], admits }, forms);
        }
        view.space.union_all(&opened)
    }

    /// Opens what first packets open by passing: connections where lists say so, or bindings. `lists` are the packets for
    /// which a list opens one, as they came, as they were routed, and as they leave.
    pub(super) fn open_bindings(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        entered: &Entered,
        routed: Set,
        leaving: Leaving,
        lists: [Set; 3],
    ) -> Set {
        if self.network.node(node).translating.opens {
            return self.open_sessions(view, node, entered, routed, leaving, true);
        }
        let [came, mid, went] = lists;
        let parts =
            entered.parts.iter().map(|(rule, set)| (*rule, view.space.intersect(*set, came))).collect();
        let by_came = Entered { routed: entered.routed, parts };
        let by_came = self.open_sessions(view, node, &by_came, routed, leaving, true);
        let by_mid = view.space.intersect(routed, mid);
        let by_mid = self.open_sessions(view, node, entered, by_mid, leaving, true);
        let by_went = Leaving { set: view.space.intersect(leaving.set, went), ..leaving };
        let by_went = self.open_sessions(view, node, entered, routed, by_went, true);
        let connections = view.space.union_all(&[by_came, by_mid, by_went]);
        let mut rest = entered.clone();
        if view.reading == Reading::Must {
            // What opens a connection opens no less. Whether it does may be open on *may*.
            for (_, set) in &mut rest.parts {
                *set = view.space.minus(*set, connections);
            }
        }
        let bindings = self.open_sessions(view, node, &rest, routed, leaving, false);
        view.space.union(connections, bindings)
    }

    fn grow_session(&mut self, view: &mut View<'_>, node: NodeId, key: Key, new: Forms) {
        let new = Forms {
            came: view.tuples(new.came),
            routed: view.tuples(new.routed),
            went: view.tuples(new.went),
        };
        let list = &mut self.growing[node.index()];
        let at = list.iter().position(|(known, _)| *known == key).unwrap_or(list.len());
        if at == list.len() {
            list.push((key, Forms::NONE));
        }
        let forms = &mut list[at].1;
        forms.came = view.space.union(forms.came, new.came);
        forms.routed = view.space.union(forms.routed, new.routed);
        forms.went = view.space.union(forms.went, new.went);
    }

    /// Takes the sessions of a node that have grown into force. Says whether any has.
    pub(super) fn settle_sessions(&mut self, view: &mut View<'_>, node: NodeId) -> bool {
        let mut sessions = Sessions::default();
        let mut ends = Vec::new();
        for (key, forth) in self.growing[node.index()].clone() {
            let back = Forms {
                came: turned(view, forth.came),
                routed: turned(view, forth.routed),
                went: turned(view, forth.went),
            };
            sessions.list.push(Session { key, forth, back });
            ends.extend([forth.came, forth.went]);
        }
        sessions.ends = Some(self::ends(view, &ends));
        let grown = self.sessions[node.index()] != sessions;
        self.sessions[node.index()] = sessions;
        grown
    }

    /// What may become of first packets that came to a node.
    pub(super) fn after(&self, view: &mut View<'_>, change: &Change, came: Set) -> Set {
        let parts = view.translations(change.entry);
        let mut routed = Vec::new();
        for (rule, set) in parts.iter() {
            let here = view.space.intersect(came, *set);
            routed.push(view.image(here, *rule, End::Destination));
        }
        let routed = view.space.union_all(&routed);
        let routed = view.space.intersect(routed, change.routed);
        view.image(routed, change.rule, End::Source)
    }

    /// Everything that may be another packet than was sent: what translations make of first packets, and of their answers
    /// and the errors about them. Answers to packets of `answered` are no more than that.
    pub(super) fn translated(&self, view: &mut View<'_>, answered: Set) -> Set {
        let mut all = Vec::new();
        let sessions = self.sessions.iter().flat_map(|sessions| &sessions.list);
        for session in sessions.filter(|session| session.key.rules != [None, None]) {
            let Forms { came, routed, went } = session.forth;
            let others = view.space.minus(came, answered);
            all.extend([routed, went, view.space.reverse(others)]);
            if !others.is_empty() {
                let [to_ends, _] = ends(view, &[others, went]);
                all.push(view.space.intersect(view.compiled.common.icmp_errors, to_ends));
            }
        }
        view.space.union_all(&all)
    }

    /// What packets were as they came that may have left a node, or were delivered, as these.
    pub(super) fn before(&self, view: &mut View<'_>, change: &Change, went: Set) -> Set {
        let Change { entry, course, rule, came, routed } = *change;
        let sessions = &self.sessions[entry.node.index()];
        match course {
            Course::Plain => view.space.intersect(went, came),
            Course::Fresh => {
                let mid = view.origin(went, rule, End::Source, routed);
                let parts = view.translations(entry);
                let mut all = Vec::new();
                for (rule, set) in parts.iter() {
                    let domain = view.space.intersect(came, *set);
                    all.push(view.origin(mid, *rule, End::Destination, domain));
                }
                view.space.union_all(&all)
            }
            Course::Repeats(index) => {
                let Session { key: Key { rules, .. }, forth, .. } = sessions.list[index];
                let mid = view.space.intersect(routed, forth.routed);
                let mid = view.origin(went, rules[1], End::Source, mid);
                let domain = view.space.intersect(came, forth.came);
                view.origin(mid, rules[0], End::Destination, domain)
            }
            Course::Reverses(index) => {
                let Session { key: Key { rules, .. }, back, .. } = sessions.list[index];
                let seen = view.space.mirror(went);
                let seen = view.space.intersect(seen, back.came);
                let mid = view.image(seen, rules[0], End::Destination);
                let passed = view.space.mirror(routed);
                let mid = view.space.intersect(mid, passed);
                let mid = view.space.intersect(mid, back.routed);
                let seen = view.image(mid, rules[1], End::Source);
                let seen = view.space.intersect(seen, back.went);
                let before = view.space.mirror(seen);
                view.space.intersect(before, came)
            }
            Course::Error => {
                let mid = view.space.forget_address(went, crate::set::Side::Src);
                let mid = view.space.intersect(mid, routed);
                let before = view.space.forget_address(mid, crate::set::Side::Dst);
                view.space.intersect(before, came)
            }
        }
    }
}

/// Packets to either end of some packets, and packets from either.
fn ends(view: &mut View<'_>, packets: &[Set]) -> [Set; 2] {
    let all = view.space.union_all(packets);
    let sources = view.space.project_src(all);
    let destinations = view.space.project_dst(all);
    let to = [view.space.src_as_dst(sources), destinations];
    let from = [sources, view.space.dst_as_src(destinations)];
    [view.space.union_all(&to), view.space.union_all(&from)]
}

/// What answers to packets look like from the other side.
fn turned(view: &mut View<'_>, packets: Set) -> Set {
    let answers = view.space.reverse(packets);
    let seen = view.space.mirror(answers);
    let seen = view.space.forget(seen, Field::Flags);
    view.space.forget(seen, Field::Fragment)
}
