//! How the connection tracker of a node may look at packets.

use super::passage::Course;
use super::rules::Accept;
use super::run::Run;
use super::view::View;
use crate::model::{NodeId, Reading, State};
use crate::set::{Field, Set};

/// A way in which the tracker may look at packets, with the packets it may look at so.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) kind: LookKind,
    pub(super) packets: Set,
    /// What translates them.
    pub(super) course: Course,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LookKind {
    /// In this one state.
    State(State),
    /// As fresh packets whose state is not known: what every fresh state accepts (*must* only).
    AnyFresh,
}

impl Look {
    /// Answers of a node, which leave in this state. They belong to some connection or to none.
    pub(super) fn of_answers(state: State, packets: Set) -> Look {
        let kind = LookKind::State(state);
        Look { kind, packets, course: Course::of(kind) }
    }

    pub(super) fn accepts(self, view: &mut View<'_>, accept: &Accept) -> Set {
        match self.kind {
            LookKind::State(state) => accept.state(state),
            LookKind::AnyFresh => {
                let both = view.space.intersect(accept.state(State::New), accept.state(State::Invalid));
                view.space.intersect(both, accept.state(State::Untracked))
            }
        }
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self.kind, LookKind::State(State::Established | State::Related))
    }

    pub(super) fn opens(self) -> bool {
        self.kind == LookKind::State(State::New) && matches!(self.course, Course::Fresh | Course::Plain)
    }
}

impl Run<'_, '_> {
    /// The ways in which the tracker of a node may look at packets.
    pub(super) fn looks(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        packets: Set,
        again: bool,
    ) -> Vec<Look> {
        let facts = &view.compiled.nodes[node.index()];
        let translates = facts.translates;
        if !view.compiled.keeps_tables(node) {
            let all = Look { kind: LookKind::State(State::New), packets, course: Course::Plain };
            return if again { Vec::new() } else { vec![all] };
        }
        let mut looks = Vec::new();
        let mut add = |view: &mut View<'_>, kind, within: Set| {
            let packets = view.space.intersect(packets, within);
            if !packets.is_empty() {
                looks.push(Look { kind, packets, course: Course::of(kind) });
            }
        };
        let fresh = self.fresh(view);
        for (kind, within) in fresh.iter().filter(|_| !again) {
            add(view, *kind, *within);
        }
        if !translates {
            add(view, LookKind::State(State::Established), self.connections[node.index()].established);
        }
        if self.query.reading == Reading::May {
            add(view, LookKind::State(State::Related), self.connections[node.index()].related);
        }
        if translates {
            self.session_looks(view, node, packets, &fresh, &mut looks);
        }
        looks
    }

    /// How a tracker may look at packets of no connection, with those that it may look at so.
    fn fresh(&self, view: &mut View<'_>) -> Vec<(LookKind, Set)> {
        let certain = view.compiled.common.certainly_new;
        let doubtful = view.space.complement(certain);
        let state = |state, set| (LookKind::State(state), set);
        match self.query.reading {
            Reading::May => vec![
                state(State::New, Set::FULL),
                state(State::Invalid, doubtful),
                state(State::Untracked, doubtful),
            ],
            Reading::Must => vec![state(State::New, certain), (LookKind::AnyFresh, doubtful)],
        }
    }
}

/// Packets that pass as part of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connections {
    /// What repeats or reverses an open tuple.
    pub(super) established: Set,
    /// Errors about those.
    pub(super) related: Set,
}

impl Connections {
    /// Nothing is open.
    pub(super) const NONE: Connections = Connections { established: Set::EMPTY, related: Set::EMPTY };
}

impl View<'_> {
    /// The packets that a connection table cannot tell from these: flags and fragments are not of the tuple.
    pub(super) fn tuples(&mut self, packets: Set) -> Set {
        let packets = self.space.forget(packets, Field::Flags);
        self.space.forget(packets, Field::Fragment)
    }

    /// The packets that repeat or reverse any of these.
    pub(super) fn same_connections(&mut self, packets: Set) -> Set {
        let tuples = self.tuples(packets);
        let reversed = self.space.reverse(tuples);
        self.space.union(tuples, reversed)
    }

    /// What passes as part of the connections that these packets have opened. Related are ICMP errors from anywhere to
    /// either end of an open tuple (SEMANTICS.md section 5.1).
    pub(super) fn connections(&mut self, opened: Set) -> Connections {
        if opened.is_empty() {
            return Connections::NONE;
        }
        let established = match self.reading {
            Reading::May => self.same_connections(opened),
            Reading::Must => {
                // What only repeats is new until there is an answer, and not every answer is taken for one.
                let tuples = self.tuples(opened);
                let reversed = self.space.reverse(tuples);
                self.space.intersect(reversed, self.compiled.common.sure_answers)
            }
        };
        let sources = self.space.project_src(established);
        let to_sources = self.space.src_as_dst(sources);
        let destinations = self.space.project_dst(established);
        let ends = self.space.union(to_sources, destinations);
        let related = self.space.intersect(self.compiled.common.icmp_errors, ends);
        Connections { established, related }
    }
}
