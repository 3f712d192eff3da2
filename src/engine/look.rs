//! How the connection tracker of a node may look at packets.

use super::compiled::View;
use super::rules::Accept;
use crate::model::State;
use crate::set::{Field, Set};

/// A way in which the tracker may look at packets, with the packets it may look at so.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) kind: LookKind,
    pub(super) packets: Set,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LookKind {
    /// In this one state.
    State(State),
    /// As fresh packets whose state is not known: what every fresh state accepts (*must* only).
    AnyFresh,
}

impl Look {
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
        self.kind == LookKind::State(State::New)
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

    /// What passes as part of the connections that these packets have opened. Related are ICMP errors from anywhere to
    /// either end of an open tuple (SEMANTICS.md section 5.1).
    pub(super) fn connections(&mut self, opened: Set) -> Connections {
        if opened.is_empty() {
            return Connections::NONE;
        }
        let tuples = self.tuples(opened);
        let reversed = self.space.reverse(tuples);
        let established = self.space.union(tuples, reversed);
        let sources = self.space.project_src(established);
        let to_sources = self.space.src_as_dst(sources);
        let destinations = self.space.project_dst(established);
        let ends = self.space.union(to_sources, destinations);
        let related = self.space.intersect(self.compiled.common.icmp_errors, ends);
        Connections { established, related }
    }
}
