//! From a set of packets that arrive to one packet and its way, and to those that must open connections first.

use super::compiled::View;
use super::history::{Delta, Opening, Step};
use super::query::{Journey, JourneyHop, Origin, Place, Query, Witness};
use super::run::Run;
use super::solve::telling_destinations;
use crate::header::{AddressRange, Packet, proto, tcp_flags};
use crate::model::{InterfaceId, NodeId, Reading};
use crate::set::{Field, Set, Side};

/// Packets of one witness: connections that need connections end sometime.
const MOST_JOURNEYS: usize = 32;

/// Places that are tried for the witness that is shortest.
const MOST_PLACES: usize = 16;

/// A shortest way to one of the places: with the fewest packets, then over the fewest devices.
pub(super) fn find_witness<'c, 'q>(
    view: &mut View<'c>,
    openers: &Run<'q, 'c>,
    run: &Run<'q, 'c>,
    bad: &[(Place, Set)],
) -> Option<Witness> {
    let mut arrivals: Vec<(usize, Place, Set)> = Vec::new();
    for (place, set) in bad {
        arrivals.extend(first_arrival(view, run, *place, *set).map(|(time, part)| (time, *place, part)));
    }
    arrivals.sort_by_key(|(time, place, _)| (*time, *place));
    let mut found: Vec<Witness> = Vec::new();
    for (time, place, set) in arrivals.into_iter().take(MOST_PLACES) {
        let Some(packet) = pick(view, run.query, set) else { continue };
        let mut walk = WalkBack { view, openers, journeys: Vec::new() };
        if walk.arrival(run, place, packet, time + 1, None).is_some() {
            found.push(Witness { journeys: walk.journeys });
        }
    }
    let hops = |witness: &Witness| witness.journeys.iter().map(|journey| journey.hops.len()).sum::<usize>();
    found.into_iter().min_by_key(|witness| (witness.journeys.len(), hops(witness)))
}

impl Run<'_, '_> {
    /// Who a step says has sent packets, where it begins a journey.
    fn origin(&self, step: Step) -> Option<Origin> {
        match step {
            Step::Start(origin) => Some(origin),
            Step::Own { node, .. } => Some(Origin::Honest(Place::Node(node))),
            Step::Answered { receiver, .. } | Step::Beyond { receiver, .. } => {
                Some(Origin::Reflected(self.network.interface(receiver).node))
            }
            Step::Somebody { segment, .. } => Some(Origin::Somebody(segment)),
            Step::Sent { .. } => None,
        }
    }
}

fn first_arrival(view: &mut View<'_>, run: &Run<'_, '_>, place: Place, set: Set) -> Option<(usize, Set)> {
    let arrivals: Vec<(usize, Set)> = match place {
        Place::Segment(id) => run.segment_history[id.index()].iter().map(|d| (d.time, d.set)).collect(),
        Place::Node(id) => run.delivered_history[id.index()].iter().map(|d| (d.0, d.1)).collect(),
    };
    arrivals
        .into_iter()
        .map(|(time, new)| (time, view.space.intersect(new, set)))
        .find(|(_, part)| !part.is_empty())
}

/// The packet of a set that tells a reader most: whole, to a target, of a common protocol, with plain flags and ports.
/// What cannot be had is left; the rest is the smallest by value.
pub(super) fn pick(view: &mut View<'_>, query: &Query, set: Set) -> Option<Packet> {
    let telling = telling_destinations(view, query);
    let space = &mut view.space;
    let real = space.well_formed();
    let set = space.intersect(set, real);
    let protocols = [proto::TCP, proto::UDP].map(|number| space.protocol(number));
    let echo =
        [space.icmp(crate::header::Family::V4, 8, None), space.icmp(crate::header::Family::V6, 128, None)];
    let echo = space.union(echo[0], echo[1]);
    let syn = space.flags(u8::MAX, tcp_flags::SYN);
    let martians = view.compiled.common.martians;
    let wishes = [
        space.fragment(crate::header::Fragment::Whole),
        space.complement(martians),
        telling,
        protocols[0],
        protocols[1],
        echo,
        syn,
        space.field(Field::Sport, 40_000, u16::MAX),
        space.field(Field::Dport, 443, 443),
        space.field(Field::Dport, 1, u16::MAX),
    ];
    let mut left = set;
    for wish in wishes {
        let fulfilled = space.intersect(left, wish);
        if !fulfilled.is_empty() {
            left = fulfilled;
        }
    }
    space.sample(left)
}

struct WalkBack<'v, 'c, 'r, 'q> {
    view: &'v mut View<'c>,
    openers: &'r Run<'q, 'c>,
    journeys: Vec<Journey>,
}

impl<'c, 'q> WalkBack<'_, 'c, '_, 'q> {
    /// Adds the journey of a packet that arrives at a place before a time, and those that it needs before it.
    fn arrival(
        &mut self,
        run: &Run<'q, 'c>,
        place: Place,
        packet: Packet,
        before: usize,
        opens_at: Option<NodeId>,
    ) -> Option<()> {
        let mut hops = Vec::new();
        let delta = match place {
            Place::Segment(id) => self.first(&run.segment_history[id.index()], &packet, before)?,
            Place::Node(id) => {
                let deliveries = &run.delivered_history[id.index()];
                let found = deliveries
                    .iter()
                    .find(|(time, set, _, _)| *time < before && self.view.space.contains(*set, &packet));
                let (time, _, receiver, established) = *found?;
                hops.push(JourneyHop { receiver, sends: None, via: None, established });
                if established {
                    self.opener(run, id, &packet, time)?;
                }
                self.first(&run.history[receiver.index()], &packet, time)?
            }
        };
        self.finish(run, place, packet, delta, hops, opens_at)
    }

    /// Adds the journey of a packet that an interface received, for what its node then does.
    fn reception(
        &mut self,
        run: &Run<'q, 'c>,
        receiver: InterfaceId,
        packet: Packet,
        before: usize,
    ) -> Option<()> {
        let delta = self.first(&run.history[receiver.index()], &packet, before)?;
        let node = run.network.interface(receiver).node;
        let hops = vec![JourneyHop { receiver, sends: None, via: None, established: false }];
        self.finish(run, Place::Node(node), packet, delta, hops, None)
    }

    /// Adds the journey of a packet that opens a connection at a node.
    fn opening(&mut self, node: NodeId, opening: Opening, packet: Packet) -> Option<()> {
        let network = self.openers.network;
        let onto = opening.sends.and_then(|sends| network.interface(sends).segment);
        let arrives = onto.map_or(Place::Node(node), Place::Segment);
        let Some(receiver) = opening.receiver else {
            let origin = Origin::Honest(Place::Node(node));
            self.journeys.push(Journey { origin, packet, hops: Vec::new(), arrives, opens_at: Some(node) });
            return Some(());
        };
        let delta = self.first(&self.openers.history[receiver.index()], &packet, opening.time)?;
        let hops = vec![JourneyHop { receiver, sends: opening.sends, via: None, established: false }];
        self.finish(self.openers, arrives, packet, delta, hops, Some(node))
    }

    fn first(&self, history: &[Delta], packet: &Packet, before: usize) -> Option<Delta> {
        history.iter().find(|d| d.time < before && self.view.space.contains(d.set, packet)).copied()
    }

    /// Walks back from an arrival to who sent it.
    fn finish(
        &mut self,
        run: &Run<'q, 'c>,
        arrives: Place,
        packet: Packet,
        mut delta: Delta,
        mut hops: Vec<JourneyHop>,
        opens_at: Option<NodeId>,
    ) -> Option<()> {
        if self.journeys.len() >= MOST_JOURNEYS {
            return None;
        }
        let origin = loop {
            if let Some(origin) = run.origin(delta.step) {
                self.cause(run, delta, &packet)?;
                break origin;
            }
            let Step::Sent { receiver, sends, via, established, any_destination } = delta.step else {
                return None;
            };
            let node = run.network.interface(receiver).node;
            if any_destination {
                // The node sent it on as the packet's own list of addresses told it; what came in bore its address.
                let own = self.view.compiled.nodes[node.index()].to_own;
                let cause = self.view.space.intersect(run.received[receiver.index()], own);
                let from = self.with_source(cause, &packet);
                let packet = pick(self.view, run.query, from)?;
                self.reception(run, receiver, packet, delta.time)?;
                break Origin::Reflected(node);
            }
            let next = Some(via.unwrap_or(packet.dst));
            hops.push(JourneyHop { receiver, sends: Some(sends), via: next, established });
            if established {
                self.opener(run, node, &packet, delta.time)?;
            }
            delta = self.first(&run.history[receiver.index()], &packet, delta.time)?;
        };
        hops.reverse();
        let journey = Journey { origin, packet, hops, arrives, opens_at };
        let known =
            self.journeys.iter().any(|known| known.packet == journey.packet && known.hops == journey.hops);
        if !known || opens_at.is_none() {
            self.journeys.push(journey);
        }
        Some(())
    }

    fn with_source(&mut self, set: Set, packet: &Packet) -> Set {
        let src = self.view.space.addresses(Side::Src, &[AddressRange::single(packet.src)]);
        self.view.space.intersect(set, src)
    }

    /// Adds the journey of what made somebody send a packet that was not there before.
    fn cause(&mut self, run: &Run<'q, 'c>, delta: Delta, packet: &Packet) -> Option<()> {
        match delta.step {
            Step::Start(_) | Step::Sent { .. } => Some(()),
            Step::Own { node, established: true } => {
                let opener = self.opener(run, node, packet, delta.time);
                // A run that takes in what others might become says on *may* only that a connection may be open.
                if run.query.reading == Reading::Must { opener } else { Some(()) }
            }
            Step::Own { established: false, .. } => Some(()),
            Step::Answered { receiver, cause } => {
                let asker = self.view.space.addresses(Side::Src, &[AddressRange::single(packet.dst)]);
                let asked = self.view.space.intersect(cause, asker);
                // A borrowed source was the destination of what was refused.
                let lender = self.view.space.addresses(Side::Dst, &[AddressRange::single(packet.src)]);
                let lent = self.view.space.intersect(asked, lender);
                let asked = if lent.is_empty() { asked } else { lent };
                let asked = pick(self.view, run.query, asked)?;
                self.reception(run, receiver, asked, delta.time)
            }
            Step::Beyond { receiver, cause } => {
                let first = pick(self.view, run.query, cause)?;
                self.reception(run, receiver, first, delta.time)
            }
            Step::Somebody { segment, cause } => {
                let first = pick(self.view, run.query, cause)?;
                self.arrival(run, Place::Segment(segment), first, delta.time + 1, None)
            }
        }
    }

    /// Adds the journey of a packet that opens the connection by which another passes a node.
    fn opener(&mut self, run: &Run<'q, 'c>, node: NodeId, packet: &Packet, time: usize) -> Option<()> {
        let openers = self.openers;
        // Inside the run of the openers, only what was open by then counts.
        let before = if std::ptr::eq(run, openers) { time } else { usize::MAX };
        let alike = self.view.space.packet(packet);
        let alike = self.view.tuples(alike);
        let reversed = self.view.space.reverse(alike);
        let wanted = self.view.space.union(alike, reversed);
        // An error about a connection bears the address of one of its ends and else any.
        let end = [AddressRange::single(packet.dst)];
        let ends = [self.view.space.addresses(Side::Src, &end), self.view.space.addresses(Side::Dst, &end)];
        let about = self.view.space.union(ends[0], ends[1]);
        for wanted in [wanted, about] {
            for opening in openers.openings[node.index()].iter().filter(|o| o.time < before) {
                let fits = self.view.space.intersect(opening.set, wanted);
                if fits.is_empty() {
                    continue;
                }
                let first = pick(self.view, run.query, fits)?;
                return self.opening(node, *opening, first);
            }
        }
        None
    }
}
