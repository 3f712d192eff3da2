//! What lists may know of the translation of a packet's connection (`--ctstate DNAT`, `ct status dnat`).
//!
//! The bits stand once an end is translated to something else: the destination before routing, the source behind all lists, so
//! that only later packets of a connection show it (`nf_nat_setup_info`).

use super::look::{Look, LookKind};
use super::marks::Marks;
use super::passage::{Course, Entered};
use super::run::Run;
use super::view::View;
use crate::model::translation::End;
use crate::model::{NodeId, Reading, State};
use crate::set::Set;

/// Which ends of its connection are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Status {
    /// These.
    Known {
        /// Whether the source is.
        source: bool,
        /// Whether the destination is.
        destination: bool,
    },
    /// The packet is of no connection.
    Absent,
    /// Any (*must* only).
    Unclear,
}

impl Status {
    /// Nothing is translated.
    pub(super) const PLAIN: Status = Status::Known { source: false, destination: false };

    /// Each that there can be of a connection.
    pub(super) fn all() -> impl Iterator<Item = Status> {
        let both = [false, true];
        both.into_iter().flat_map(move |source| both.map(|destination| Status::Known { source, destination }))
    }

    /// The packets for which a test for an end, or its negation, certainly holds, and for which it may. Of a packet
    /// without a connection iptables says that it is not translated, and nftables nothing.
    pub(super) fn answer(self, end: End, negated: bool) -> (Set, Set) {
        let known = match (self, end) {
            (Status::Known { source, .. }, End::Source) => source,
            (Status::Known { destination, .. }, End::Destination) => destination,
            (Status::Absent, _) if !negated => false,
            (Status::Absent | Status::Unclear, _) => return (Set::EMPTY, Set::FULL),
        };
        if known != negated { (Set::FULL, Set::FULL) } else { (Set::EMPTY, Set::EMPTY) }
    }

    fn with_destination(self, destination: bool) -> Status {
        match self {
            Status::Known { source, .. } => Status::Known { source, destination },
            other => other,
        }
    }
}

impl Run<'_, '_> {
    /// What may be known of packets of a look when they come to a node, or are made there.
    pub(super) fn first_statuses(&self, view: &mut View<'_>, node: NodeId, look: Look) -> Vec<Status> {
        if !view.compiled.nodes[node.index()].marks.of_translation {
            return vec![Status::PLAIN];
        }
        let must = self.query.reading == Reading::Must;
        match look.course {
            Course::Plain => vec![Status::Absent],
            Course::Fresh if must && look.kind == LookKind::State(State::New) => vec![Status::PLAIN],
            Course::Fresh | Course::Error if must => vec![Status::Unclear],
            // A packet that repeats one before its answer is new, too.
            Course::Fresh | Course::Error => Status::all().collect(),
            Course::Repeats(index) | Course::Reverses(index) => self.of_session(view, node, index),
        }
    }

    fn of_session(&self, view: &mut View<'_>, node: NodeId, index: usize) -> Vec<Status> {
        let may = self.query.reading == Reading::May;
        let [destination, mut source] = self.sessions[node.index()].translations(index).map(|(rule, set)| {
            let stays = rule.is_none() || !view.fixed(set, rule).is_empty();
            let moves = rule.is_some();
            [false, true].into_iter().filter(|moved| if *moved { moves } else { stays }).collect::<Vec<_>>()
        });
        if may && source == [false] {
            // Another connection may have forced it to another port.
            source.push(true);
        }
        if !may && (source.len() > 1 || destination.len() > 1) {
            return vec![Status::Unclear];
        }
        let with = |source: &bool| {
            let source = *source;
            destination.iter().map(move |destination| Status::Known { source, destination: *destination })
        };
        source.iter().flat_map(with).collect()
    }

    /// Parts what has just been translated by what lists now know of it.
    pub(super) fn by_status(
        &self,
        view: &mut View<'_>,
        node: NodeId,
        (look, marks): (Look, Marks),
        (came, entered): (Set, Entered),
    ) -> Vec<(Marks, Set, Entered)> {
        let asks = view.compiled.nodes[node.index()].marks.of_translation;
        if !asks || look.course != Course::Fresh || look.kind == LookKind::AnyFresh {
            return vec![(marks, came, entered)];
        }
        let mut parts: Vec<(Status, Entered)> = Vec::new();
        for (rule, set) in entered.parts {
            let [no, yes] = [false, true].map(|moved| marks.status.with_destination(moved));
            let fixed = view.fixed(set, rule);
            let known = match self.query.reading {
                _ if rule.is_none() => vec![(no, set)],
                Reading::May => vec![(yes, set), (no, fixed)],
                Reading::Must => vec![(yes, view.space.minus(set, fixed)), (Status::Unclear, fixed)],
            };
            for (status, set) in known.into_iter().filter(|(_, set)| !set.is_empty()) {
                let routed = if status == no { set } else { view.image(set, rule, End::Destination) };
                match parts.iter_mut().find(|(known, _)| *known == status) {
                    Some((_, there)) => {
                        there.routed = view.space.union(there.routed, routed);
                        there.parts.push((rule, set));
                    }
                    None => parts.push((status, Entered { routed, parts: vec![(rule, set)] })),
                }
            }
        }
        let mut all = Vec::new();
        for (status, entered) in parts {
            let sets: Vec<Set> = entered.parts.iter().map(|(_, set)| *set).collect();
            let came = view.space.union_all(&sets);
            all.push((Marks { status, ..marks }, came, entered));
        }
        all
    }
}
