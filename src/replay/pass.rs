//! The lists of one stage, one after the other.

use super::filter::{Ruling, Sight, judge};
use super::marks::Marks;
use super::trail::{Decision, End};
use super::translate::Course;
use super::view::View;
use super::way::{Exit, Opens, Way};
use crate::header::Packet;
use crate::model::{Hook, Stage};

/// A packet on its way through the filters of a device.
#[derive(Clone, Default)]
pub(super) struct Progress {
    pub(super) decisions: Vec<Decision>,
    /// Whether some list that let it pass opens connections.
    pub(super) opening: bool,
    /// Its marks so far.
    pub(super) marks: Marks,
}

impl Progress {
    pub(super) fn stop(&self, packet: &Packet, end: End) -> Way {
        Way {
            decisions: self.decisions.clone(),
            exit: Exit::Stop(end),
            packet: *packet,
            opens: Opens::NOTHING,
        }
    }

    /// The same behind the translation of a destination.
    pub(super) fn translated(mut self, course: Course, before: &Packet, now: &Packet) -> Progress {
        self.marks.status = self.marks.status.routed(course, before, now);
        self
    }

    pub(super) fn note(&mut self, decision: Decision) {
        self.decisions.push(decision);
    }
}

/// Passes the lists of a stage. What they stop is added to `ways`; what is returned passes, with several marks perhaps. There is
/// none if nothing certainly passes.
pub(super) fn pass(
    view: &View<'_>,
    stage: Stage,
    hooks: &[Hook],
    sight: &Sight<'_>,
    mut progress: Progress,
    ways: &mut Vec<Way>,
) -> Vec<Progress> {
    let binding = |hook: &&Hook| hook.family.is_none_or(|family| family == sight.packet.family());
    let mut bound = hooks.iter().filter(binding).peekable();
    if bound.peek().is_none() {
        progress.note(Decision::Unfiltered { stage, none_at_all: hooks.is_empty() });
    }
    let mut passing = vec![progress];
    for hook in bound {
        for progress in std::mem::take(&mut passing) {
            pass_one(view, (stage, *hook), sight, &progress, &mut passing, ways);
        }
    }
    passing
}

/// Passes one list, perhaps with several marks.
fn pass_one(
    view: &View<'_>,
    (stage, hook): (Stage, Hook),
    sight: &Sight<'_>,
    progress: &Progress,
    passing: &mut Vec<Progress>,
    ways: &mut Vec<Way>,
) {
    let judged = judge(view, hook, &Sight { marks: progress.marks, ..*sight });
    let stopping = |ruling| judged.best(ruling).cloned();
    for judgement in [Ruling::Drop, Ruling::Reject].into_iter().filter_map(stopping) {
        ways.push(progress.stop(sight.packet, End::Filtered { stage, judgement }));
    }
    for (judgement, opening) in judged.by_marks(Ruling::Accept) {
        let mut next = progress.clone();
        next.marks = judgement.marks;
        next.opening |= opening;
        let by = judgement.marked_by.filter(|_| next.marks.packet != progress.marks.packet);
        if let Some(by) = by {
            next.note(Decision::Marked { mark: next.marks.packet, by });
        }
        next.note(Decision::Judged { stage, judgement, state: sight.state });
        // Where the same lists let it pass in several ways, one for each pair of marks is enough.
        let doubts = |one: &Progress| one.decisions.iter().map(|d| d.uncertain().len()).sum::<usize>();
        match passing.iter_mut().find(|other| (other.marks, other.opening) == (next.marks, next.opening)) {
            None => passing.push(next),
            Some(other) if doubts(&next) < doubts(other) => *other = next,
            Some(_) => {}
        }
    }
    if judged.outcomes.is_empty() {
        ways.push(progress.stop(sight.packet, End::Uncertain(judged.stuck)));
    }
}
