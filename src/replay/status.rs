//! Which ends of a packet's connection a device has translated by now, as its lists may ask.

use super::state::Hit;
use super::translate::Course;
use super::view::View;
use crate::header::Packet;
use crate::model::translation::End;
use crate::model::{NodeId, State};

/// What is known of the connection of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Which of its ends are others than the first packet had.
    Translates {
        /// The source.
        source: bool,
        /// The destination.
        destination: bool,
    },
    /// It has none.
    Absent,
    /// Nobody knows (*must* only).
    Open,
}

/// Neither end.
pub(super) const NEITHER: Status = Status::Translates { source: false, destination: false };

impl Status {
    fn of_connection(hit: Hit) -> Status {
        let (came, went) = (hit.connection.came, hit.connection.went);
        Status::Translates {
            source: (came.src, came.from) != (went.src, went.from),
            destination: (came.dst, came.to) != (went.dst, went.to),
        }
    }

    /// Whether an end is translated, if that is known; the outer `None` is no connection.
    pub(super) fn says(self, end: End) -> Option<Option<bool>> {
        match (self, end) {
            (Status::Translates { source, .. }, End::Source) => Some(Some(source)),
            (Status::Translates { destination, .. }, End::Destination) => Some(Some(destination)),
            (Status::Absent, _) => None,
            (Status::Open, _) => Some(None),
        }
    }

    /// Behind the place where the rules have made `now` of the destination of a first packet.
    pub(super) fn routed(self, course: Course, before: &Packet, now: &Packet) -> Status {
        match (self, course) {
            (Status::Translates { source, .. }, Course::Fresh) => {
                let destination = (before.dst, before.dport) != (now.dst, now.dport);
                Status::Translates { source, destination }
            }
            (other, _) => other,
        }
    }
}

/// What it may be when a packet comes to a node, or is made there.
pub(super) fn first(view: &View<'_>, node: NodeId, state: State, course: Course) -> Vec<Status> {
    if !view.network.asks_translated(node) {
        return vec![NEITHER];
    }
    match course {
        Course::Plain => vec![Status::Absent],
        Course::Follows(hit) => vec![Status::of_connection(hit)],
        // Another packet like it may have been there before.
        Course::Fresh | Course::Error if view.is_may() => every(view, node),
        Course::Fresh if state == State::New => vec![NEITHER],
        Course::Fresh | Course::Error => vec![Status::Open],
    }
}

/// What it may be of any connection of a node.
pub(super) fn every(view: &View<'_>, node: NodeId) -> Vec<Status> {
    if !view.network.asks_translated(node) {
        return vec![NEITHER];
    }
    let each = [(false, false), (false, true), (true, false), (true, true)];
    each.map(|(source, destination)| Status::Translates { source, destination }).to_vec()
}
