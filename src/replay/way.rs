//! One way through a device, and all of them under the states that a packet may have there.

use super::state::{Hit, Relation, States, is_certainly_established};
use super::trail::{Decision, End};
use super::translate::Course;
use super::view::View;
use crate::header::Packet;
use crate::model::{InterfaceId, State};
use std::net::IpAddr;

/// Where a packet goes from a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// To the device itself, past its input filter.
    Deliver,
    /// Onto the segment of an interface, to a neighbour.
    Put {
        /// The interface.
        out: InterfaceId,
        /// The neighbour's address.
        next_hop: IpAddr,
    },
    /// Onto the segment of an interface, to every neighbour, because routes may change.
    Spread {
        /// The interface.
        out: InterfaceId,
    },
    /// Onto the segment of an interface, to every neighbour, with any other destination.
    Reroute {
        /// The interface.
        out: InterfaceId,
    },
    /// Nowhere.
    Stop(End),
}

/// One way through a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What was decided, in order.
    pub decisions: Vec<Decision>,
    /// Where it leads.
    pub exit: Exit,
    /// The packet as it leaves, or is delivered.
    pub packet: Packet,
    /// What the packet opens at the device by going this way.
    pub opens: Opens,
}

/// What a packet opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opens {
    /// A connection: what follows it is established.
    pub connection: bool,
    /// No more than a binding: what follows it is translated as it was.
    pub binding: bool,
}

impl Opens {
    /// Nothing.
    pub const NOTHING: Opens = Opens { connection: false, binding: false };

    fn or(self, other: Opens) -> Opens {
        Opens { connection: self.connection || other.connection, binding: self.binding || other.binding }
    }

    /// For each thing that is opened, whether it is a connection.
    pub fn each(self) -> impl Iterator<Item = bool> + Clone {
        [(self.connection, true), (self.binding, false)]
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, admits)| admits)
    }
}

/// Who chooses when a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// The adversary: before or after connections are open.
    Free,
    /// It comes now: if it belongs to an open connection, it does.
    Fixed,
}

/// Judges a packet under the states that it may have. On *may* any state is enough. On *must* that of its
/// connection is, or all of those that it may have without one (SEMANTICS.md section 5).
pub(super) fn under_states(
    view: &View<'_>,
    packet: &Packet,
    may_be: &States,
    timing: Timing,
    ways: impl Fn(State, Course) -> Vec<Way>,
) -> Vec<Way> {
    let mut all: Vec<Way> = Vec::new();
    for hit in may_be.hits.iter().filter(|hit| view.is_may() || admits_for_certain(**hit, packet)) {
        for mut way in following(view, may_be.fresh, *hit, &ways) {
            way.decisions.insert(0, Decision::Connection(*hit));
            merge(&mut all, way);
        }
    }
    if view.is_may() {
        let related = may_be.related.then_some(State::Related);
        for state in may_be.fresh.iter().copied().chain(related) {
            ways(state, Course::of(state)).into_iter().for_each(|way| merge(&mut all, way));
        }
        return all;
    }
    if let (Some(hit), Timing::Fixed) = (may_be.hits.first(), timing) {
        if !may_be.hits.iter().any(|hit| admits_for_certain(*hit, packet)) {
            // Of a connection, but in which of these states is not known.
            let mut possible = vec![State::Established, State::Invalid];
            possible.extend(may_be.fresh);
            let course = |state| match state {
                State::Invalid | State::Untracked => Course::Plain,
                State::New | State::Established | State::Related => Course::Follows(*hit),
            };
            return under_all(&possible, |state| ways(state, course(state)));
        }
        return all;
    }
    for way in under_all(may_be.fresh, |state| ways(state, Course::of(state))) {
        merge(&mut all, way);
    }
    all
}

/// Whether a packet of a connection certainly is taken for one. What only repeats is new until an answer comes.
fn admits_for_certain(hit: Hit, packet: &Packet) -> bool {
    let binding = !hit.connection.admits && hit.relation == Relation::Reverses;
    binding || is_certainly_established(hit, packet)
}

/// The ways of a packet that follows a connection, or only the translation of one: that has no state of its own.
fn following(
    view: &View<'_>,
    fresh: &[State],
    hit: Hit,
    ways: &impl Fn(State, Course) -> Vec<Way>,
) -> Vec<Way> {
    let course = Course::Follows(hit);
    if hit.connection.admits {
        return ways(State::Established, course);
    }
    if view.is_may() {
        return fresh.iter().flat_map(|state| ways(*state, course)).collect();
    }
    under_all(fresh, |state| ways(state, course))
}

/// The ways that are there under every one of these states. Only if the state is certain does a way open anything.
fn under_all(states: &[State], ways: impl Fn(State) -> Vec<Way>) -> Vec<Way> {
    let each: Vec<Vec<Way>> = states.iter().map(|state| ways(*state)).collect();
    let Some((first, rest)) = each.split_first() else { return Vec::new() };
    let everywhere = |way: &&Way| rest.iter().all(|other| other.iter().any(|also| also.leads_as(way)));
    let mut common: Vec<Way> = first.iter().filter(everywhere).cloned().collect();
    if !rest.is_empty() {
        common.iter_mut().for_each(|way| way.opens = Opens::NOTHING);
    }
    if common.is_empty() {
        // What stops it is worth telling, even if it differs from state to state.
        let stops = each.iter().flatten().filter(|way| matches!(way.exit, Exit::Stop(_)));
        common.extend(stops.cloned());
    }
    common
}

impl Way {
    /// Whether the packet leaves by both in the same form to the same place.
    fn leads_as(&self, other: &Way) -> bool {
        self.exit == other.exit && self.packet == other.packet
    }
}

/// Adds a way, unless one to the same exit is known; then the more certain one stays, and opening is remembered.
fn merge(all: &mut Vec<Way>, way: Way) {
    let Some(old) = all.iter_mut().find(|old| old.leads_as(&way)) else {
        all.push(way);
        return;
    };
    let doubts = |way: &Way| way.decisions.iter().map(|d| d.uncertain().len()).sum::<usize>();
    let opens = old.opens.or(way.opens);
    if doubts(&way) < doubts(old) {
        *old = way;
    }
    old.opens = opens;
}
