//! What a node answers to what reached it (SEMANTICS.md section 3.3).

use super::device::Causes;
use super::history::Step;
use super::look::Look;
use super::marks::Marks;
use super::query::Place;
use super::run::Run;
use super::view::View;
use crate::model::{InterfaceId, NodeId, State};
use crate::set::Set;

impl Run<'_, '_> {
    /// The node answers the sources of what reached it (SEMANTICS.md section 3.3), as far as nobody was answered yet.
    pub(super) fn answer(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        receiver: InterfaceId,
        causes: Causes,
    ) {
        if !self.reflects() {
            return;
        }
        use State::{Established, Invalid, New, Related, Untracked};
        let related = self.network.relates_own_errors(node);
        let fresh: &[State] =
            if related { &[New, Related, Invalid, Untracked] } else { &[New, Invalid, Untracked] };
        let kinds: [(Vec<Set>, &[State]); 2] =
            [(causes.delivered, &[New, Established, Related]), (causes.fresh, fresh)];
        for ((_, states), own) in kinds.iter().zip(causes.own) {
            self.answer_itself(view, node, receiver, &own, states);
        }
        for (kind, (sets, states)) in kinds.into_iter().enumerate() {
            let cause = view.space.union_all(&sets);
            let cause = self.less_free(view, Place::Node(node), cause);
            if cause.is_empty() {
                continue;
            }
            let replies = self.possible_answers(view, node, cause);
            let answers = view.space.minus(replies, self.answered[node.index()][kind]);
            if answers.is_empty() {
                continue;
            }
            let answered = &mut self.answered[node.index()][kind];
            *answered = view.space.union(*answered, answers);
            let step = Step::Answered { receiver, cause, change: None };
            let look = |state: &State| Look::of_answers(*state, answers);
            let looks: Vec<Look> = states.iter().map(look).collect();
            self.originate_as(view, node, &looks, step);
        }
    }

    /// What a node answers to packets that bear its own address comes home over its loopback, as far as its input lists let
    /// that in.
    fn answer_itself(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        receiver: InterfaceId,
        causes: &[Set],
        states: &[State],
    ) {
        let cause = view.space.union_all(causes);
        let facts = &view.compiled.nodes[node.index()];
        let cause = view.space.intersect(cause, facts.from_own);
        let cause = self.less_free(view, Place::Node(node), cause);
        let sources = view.space.project_src(cause);
        let back = view.space.src_as_dst(sources);
        let home = view.space.intersect(back, facts.from_own);
        if home.is_empty() || self.is_deaf(node) {
            return;
        }
        let lists = &self.network.node(node).input;
        let mut accepted = Vec::new();
        // Those of its connections that came before may have left any mark.
        let first: Vec<Marks> = view.compiled.nodes[node.index()].marks.all().collect();
        for marks in first {
            let pieces = view.stages(node, [lists], (Some(InterfaceId::LOOPBACK), None), marks);
            accepted.extend(pieces.iter().flat_map(|(_, input)| states.iter().map(|s| input.state(*s))));
        }
        let accepted = view.space.union_all(&accepted);
        let home = view.space.intersect(home, accepted);
        self.deliver(view, node, home, receiver, false, None);
    }

    /// What a node may answer to packets: from an address of its own; or, because a reset borrows the destination of
    /// what it resets, from that. What it sends to itself never leaves it.
    fn possible_answers(&self, view: &mut View<'_>, node: NodeId, cause: Set) -> Set {
        let facts = &view.compiled.nodes[node.index()];
        let sources = view.space.project_src(cause);
        let back = view.space.src_as_dst(sources);
        let mut answers = view.space.intersect(back, facts.from_own);
        if facts.rejects {
            let ends = view.space.project_ends(cause);
            let borrowed = view.space.mirror(ends);
            answers = view.space.union(answers, borrowed);
        }
        if self.reroutes_own(node) { answers } else { view.space.minus(answers, facts.to_own) }
    }
}
