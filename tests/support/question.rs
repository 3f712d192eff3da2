//! Questions about a network by chance: who stands where, and what is closed.

use super::net::ranges;
use super::random::Maker;
use isoaudit::claim::Door;
use isoaudit::header::proto;
use isoaudit::model::{Action, Existence, FilterId, InterfaceId, NodeId, Role, SegmentId, Service};
use isoaudit::replay::{Foothold, Place, Question, Stance};
use std::collections::BTreeSet;

impl Maker {
    pub(super) fn question(&mut self) -> Question {
        let mut question = Question {
            footholds: (0..1 + self.chance.below(2)).filter_map(|_| self.foothold()).collect(),
            openers: (0..self.chance.below(3)).filter_map(|_| self.foothold()).collect(),
            ..Question::default()
        };
        for foothold in &question.footholds {
            match (foothold.place, foothold.stance) {
                (Place::Node(node), Stance::Adversary) => {
                    question.adversary_nodes.insert(node);
                }
                (Place::Segment(segment), Stance::Adversary) => {
                    question.adversary_segments.insert(segment);
                }
                (_, Stance::Honest) => {}
            }
        }
        if self.chance.percent(15) {
            let place = Place::Segment(self.segment());
            question.footholds.push(Foothold { place, stance: Stance::Honest });
        }
        question.adversary_segments.extend(self.forged(&question.adversary_nodes));
        if self.chance.percent(20) {
            // As where honest senders share a segment with the adversary.
            let segment = self.segment();
            question.adversary_segments.insert(segment);
        }
        if self.chance.percent(15) {
            question.cut.extend(self.door());
        }
        if self.chance.percent(15) {
            question.destinations = ranges(&[self.chance.pick(&self.prefixes())]);
        }
        if self.chance.percent(10) {
            question.services = vec![Service::ports(proto::TCP, 80, 80)];
        }
        question
    }

    fn segment(&mut self) -> SegmentId {
        SegmentId::at(self.chance.below(self.net.network.segments.len()))
    }

    /// Whoever holds a node stands on its segments.
    fn forged(&self, nodes: &BTreeSet<NodeId>) -> BTreeSet<SegmentId> {
        let interfaces = nodes.iter().flat_map(|node| &self.net.network.node(*node).interfaces);
        interfaces.filter_map(|i| self.net.network.interface(*i).segment).collect()
    }

    fn foothold(&mut self) -> Option<Foothold> {
        let adversary = |place| Foothold { place, stance: Stance::Adversary };
        let nodes: Vec<NodeId> = self
            .net
            .network
            .nodes_by_id()
            .filter(|(_, node)| node.role != Role::Internet && node.existence == Existence::Described)
            .map(|(id, _)| id)
            .collect();
        Some(match self.chance.below(4) {
            0 | 1 => adversary(Place::Segment(self.segment())),
            2 => adversary(Place::Node(self.chance.pick(&nodes))),
            _ => Foothold { place: Place::Node(self.chance.pick(&nodes)), stance: Stance::Honest },
        })
    }

    fn door(&mut self) -> Option<Door> {
        let described =
            self.net.network.interfaces.iter().enumerate().filter(|(_, interface)| {
                self.net.network.node(interface.node).existence == Existence::Described
            });
        let mut doors: Vec<Door> =
            described.map(|(index, _)| Door::Interface(InterfaceId::at(index))).collect();
        for (index, filter) in self.net.network.filters.iter().enumerate() {
            for (chain, rules) in filter.chains.iter().enumerate() {
                let accepting =
                    rules.rules.iter().enumerate().filter(|(_, rule)| rule.action == Action::Accept);
                let door = |(rule, _)| Door::Rule { filter: FilterId::at(index), chain, rule };
                doors.extend(accepting.map(door));
            }
        }
        (!doors.is_empty()).then(|| self.chance.pick(&doors))
    }
}
