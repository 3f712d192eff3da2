//! How the connection tracker of a node may look at packets.

use super::compiled::View;
use super::passage::Course;
use super::rules::Accept;
use crate::model::State;
use crate::set::Set;

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
