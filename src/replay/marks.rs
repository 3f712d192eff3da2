//! The marks of one packet and of its connection, within one device.

use super::status::{self, Status};
use super::translate::Course;
use super::view::View;
use crate::model::{InterfaceId, MarkChange, Marked, NodeId, State};
use std::collections::BTreeSet;

/// The marks of a packet and of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marks {
    /// That of the packet.
    pub packet: u32,
    /// That of its connection.
    pub connection: ConnectionMark,
    /// What is known of the translation of its connection.
    pub status: Status,
}

/// The mark of a packet's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionMark {
    /// This.
    Is(u32),
    /// The packet is of no connection.
    Absent,
    /// Nobody knows (*must* only).
    Open,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks { packet: 0, connection: ConnectionMark::Is(0), status: status::NEITHER }
    }
}

impl Marks {
    /// Behind a rule that sets one of them; `None` if what it becomes is open.
    pub(super) fn set(self, change: MarkChange) -> Option<Marks> {
        match (change.of, self.connection) {
            (Marked::Connection, ConnectionMark::Is(old)) => {
                let new = change.value(self.packet, old);
                Some(Marks { connection: ConnectionMark::Is(new), ..self })
            }
            // Without a connection there is nothing to set.
            (Marked::Connection, ConnectionMark::Absent | ConnectionMark::Open) => Some(self),
            (Marked::Packet, ConnectionMark::Is(old)) => {
                Some(Marks { packet: change.value(self.packet, old), ..self })
            }
            (Marked::Packet, _) if !change.reads_connection() => {
                Some(Marks { packet: change.value(self.packet, 0), ..self })
            }
            // Nor anything to take a mark from (`xt_connmark.c`).
            (Marked::Packet, ConnectionMark::Absent) => Some(self),
            (Marked::Packet, ConnectionMark::Open) => None,
        }
    }

    /// The mark that is asked for, if there is one and it is known.
    pub(super) fn of(self, which: Marked) -> ConnectionMark {
        match which {
            Marked::Packet => ConnectionMark::Is(self.packet),
            Marked::Connection => self.connection,
        }
    }
}

/// The marks that a packet may have when it comes to a node, or is made there.
pub(super) fn first(
    view: &View<'_>,
    node: NodeId,
    incoming: Option<InterfaceId>,
    state: State,
    course: Course,
) -> Vec<Marks> {
    let network = view.network;
    let pairs = network.marks(node);
    let mut packets = BTreeSet::from([0]);
    let segment = incoming.and_then(|id| network.interface(id).segment);
    if view.is_may() && segment.is_some_and(|id| network.segment(id).tunnel.is_some()) {
        // What was wrapped in a packet with a mark may keep that.
        packets.extend(pairs.iter().map(|(packet, _)| *packet));
    }
    let all: BTreeSet<u32> = pairs.iter().map(|(_, connection)| *connection).collect();
    let connections: Vec<ConnectionMark> = if !network.uses_connection_marks(node) {
        vec![ConnectionMark::Is(0)]
    } else if matches!(state, State::Invalid | State::Untracked) {
        vec![ConnectionMark::Absent]
    } else if view.is_may() || all.len() == 1 {
        // Also of a packet that is new: another one like it may have been there before.
        all.into_iter().map(ConnectionMark::Is).collect()
    } else if state == State::New && course == Course::Fresh {
        vec![ConnectionMark::Is(0)]
    } else {
        vec![ConnectionMark::Open]
    };
    let mut all = Vec::new();
    for status in status::first(view, node, state, course) {
        for packet in &packets {
            let with = |mark: &ConnectionMark| Marks { packet: *packet, connection: *mark, status };
            all.extend(connections.iter().map(with));
        }
    }
    all
}
