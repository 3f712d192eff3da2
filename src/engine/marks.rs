//! Marks of packets and of connections within one node.
//!
//! A node has few marks: those that its rules make of 0. So no set holds any. A list is compiled for each pair of marks with
//! which packets come to it, and is then one piece for each pair with which they leave it. Where a node sets no marks there is
//! one pair, and one piece.

use super::look::{Look, LookKind};
use super::passage::Course;
use super::run::Run;
use super::status::Status;
use super::view::View;
use crate::model::{Action, Filter, InterfaceId, MarkChange, Marked, NodeId, Reading, State, Test};

/// The marks of a packet and of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Marks {
    pub(super) packet: u32,
    pub(super) connection: ConnectionMark,
    /// What is known of the translation of the connection.
    pub(super) status: Status,
}

/// The mark of the connection of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ConnectionMark {
    /// This one.
    Known(u32),
    /// None: it is of no connection.
    None,
    /// 0, or none: it is the first of a connection or of none (*must* only).
    ZeroOrNone,
    /// Any, or none (*must* only).
    Unclear,
}

impl Marks {
    /// With what everything begins where no connection has got any mark.
    pub(super) const NONE: Marks =
        Marks { packet: 0, connection: ConnectionMark::Known(0), status: Status::PLAIN };

    /// What a rule makes of them; `None` if that is not known.
    pub(super) fn changed(self, change: MarkChange) -> Option<Marks> {
        let reads = change.reads_connection();
        let value = |connection| change.value(self.packet, connection);
        let packet = |packet| Some(Marks { packet, ..self });
        let connection = |connection| Some(Marks { connection, ..self });
        match (change.of, self.connection) {
            (Marked::Packet, ConnectionMark::Known(mark)) => packet(value(mark)),
            (Marked::Packet, _) if !reads => packet(value(0)),
            // What has no connection has nothing to take a mark from (`xt_connmark.c`).
            (Marked::Packet, ConnectionMark::None) => Some(self),
            (Marked::Packet, ConnectionMark::ZeroOrNone) => (value(0) == self.packet).then_some(self),
            (Marked::Packet, ConnectionMark::Unclear) => None,
            (Marked::Connection, ConnectionMark::Known(mark)) => {
                connection(ConnectionMark::Known(value(mark)))
            }
            (Marked::Connection, ConnectionMark::ZeroOrNone) if value(0) != 0 => {
                connection(ConnectionMark::Unclear)
            }
            (Marked::Connection, _) => Some(self),
        }
    }

    /// Whether a test of one of them, perhaps turned round, certainly holds, and whether it possibly does.
    pub(super) fn answer(self, of: Marked, mask: u32, values: &[(u32, u32)], negated: bool) -> (bool, bool) {
        let fits =
            |mark: u32| values.iter().any(|(low, high)| (*low..=*high).contains(&(mark & mask))) != negated;
        match (of, self.connection) {
            (Marked::Packet, _) => (fits(self.packet), fits(self.packet)),
            (Marked::Connection, ConnectionMark::Known(mark)) => (fits(mark), fits(mark)),
            (Marked::Connection, ConnectionMark::None) => (false, false),
            (Marked::Connection, ConnectionMark::ZeroOrNone) => (false, fits(0)),
            (Marked::Connection, ConnectionMark::Unclear) => (false, true),
        }
    }
}

/// What a node's lists have to do with marks.
pub(super) struct MarkFacts {
    /// The pairs of marks that packets and connections may have there.
    pub(super) pairs: Vec<(u32, u32)>,
    /// Whether something asks for marks of connections, or uses them.
    pub(super) of_connections: bool,
    /// Whether something asks whether connections are translated.
    pub(super) of_translation: bool,
}

impl MarkFacts {
    /// Every pair with which a packet may come to a list, the zeroes first.
    pub(super) fn all(&self) -> impl Iterator<Item = Marks> + '_ {
        let statuses: Vec<Status> =
            if self.of_translation { Status::all().collect() } else { vec![Status::PLAIN] };
        let known = move |(packet, connection): &(u32, u32)| {
            let (packet, connection) = (*packet, ConnectionMark::Known(*connection));
            statuses.clone().into_iter().map(move |status| Marks { packet, connection, status })
        };
        self.pairs.iter().flat_map(known)
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
        test => matches!(test, Test::Mark { .. } | Test::Translated(_)),
    }
}

impl Run<'_, '_> {
    /// The marks with which packets of a look come to a node, or are made there.
    pub(super) fn first_marks(
        &self,
        view: &mut View<'_>,
        node: NodeId,
        receiver: Option<InterfaceId>,
        look: Look,
    ) -> Vec<Marks> {
        let statuses = self.first_statuses(view, node, look);
        let facts = &view.compiled.nodes[node.index()].marks;
        if facts.pairs.len() == 1 && !facts.of_connections {
            return statuses.into_iter().map(|status| Marks { status, ..Marks::NONE }).collect();
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
        let mut all = Vec::new();
        for packet in packets {
            for connection in &connections {
                let with = |status: &Status| Marks { packet, connection: *connection, status: *status };
                all.extend(statuses.iter().map(with));
            }
        }
        all
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
            (Reading::Must, LookKind::AnyFresh) if look.course == Course::Fresh => {
                vec![ConnectionMark::ZeroOrNone]
            }
            (Reading::Must, LookKind::State(_)) if marks.len() == 1 => all(),
            (_, LookKind::State(_) | LookKind::AnyFresh) => vec![ConnectionMark::Unclear],
        }
    }
}
