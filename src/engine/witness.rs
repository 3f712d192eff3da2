//! From a set of packets that arrive to one packet and its way, and to those that must open connections first.

use super::history::{Delivery, Delta, Opening, Step};
use super::passage::Course;
use super::query::{Journey, JourneyHop, Origin, Place, Query, Witness};
use super::run::Run;
use super::solve::telling_destinations;
use super::view::View;
use crate::header::{AddressRange, Packet, proto, tcp_flags};
use crate::model::{InterfaceId, NodeId, Reading};
use crate::set::{Field, Set, Side};
use std::net::IpAddr;

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
        Place::Node(id) => run.delivered_history[id.index()].iter().map(|d| (d.time, d.set)).collect(),
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
    let answer = space.flags(u8::MAX, tcp_flags::SYN | tcp_flags::ACK);
    let martians = view.compiled.common.martians;
    let wishes = [
        space.fragment(crate::header::Fragment::Whole),
        space.complement(martians),
        telling,
        protocols[0],
        protocols[1],
        echo,
        syn,
        answer,
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
        let (delta, came) = match place {
            Place::Segment(id) => (self.first(&run.segment_history[id.index()], &packet, before)?, packet),
            Place::Node(id) => {
                let deliveries = &run.delivered_history[id.index()];
                let found =
                    deliveries.iter().find(|d| d.time < before && self.view.space.contains(d.set, &packet));
                let Delivery { time, receiver, established, change, .. } = *found?;
                let came = self.came(run, change, Some(receiver), packet, time)?;
                hops.push(JourneyHop { receiver, sends: None, via: None, established, came, went: packet });
                if established {
                    self.opener(run, id, &came, &packet, change, time)?;
                }
                (self.first(&run.history[receiver.index()], &came, time)?, came)
            }
        };
        self.finish(run, place, came, delta, hops, opens_at)
    }

    /// What a packet was as it came to a node that it left, or was delivered to, as this.
    fn came(
        &mut self,
        run: &Run<'q, 'c>,
        change: Option<usize>,
        receiver: Option<InterfaceId>,
        went: Packet,
        before: usize,
    ) -> Option<Packet> {
        let Some(change) = change else { return Some(went) };
        let one = self.view.space.packet(&went);
        let possible = run.before(self.view, &run.changes[change], one);
        let Some(receiver) = receiver else { return pick(self.view, run.query, possible) };
        for delta in run.history[receiver.index()].iter().filter(|delta| delta.time < before) {
            let here = self.view.space.intersect(possible, delta.set);
            if !here.is_empty() {
                return pick(self.view, run.query, here);
            }
        }
        None
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
        let (came, went) = (packet, packet);
        let hops = vec![JourneyHop { receiver, sends: None, via: None, established: false, came, went }];
        self.finish(run, Place::Node(node), packet, delta, hops, None)
    }

    /// Adds the journey of a packet that opens a connection at a node, and leaves it as `went`.
    fn opening(&mut self, node: NodeId, opening: Opening, came: Packet, went: Packet) -> Option<()> {
        let network = self.openers.network;
        let onto = opening.sends.and_then(|sends| network.interface(sends).segment);
        let arrives = onto.map_or(Place::Node(node), Place::Segment);
        let Some(receiver) = opening.receiver else {
            let origin = Origin::Honest(Place::Node(node));
            let (packet, hops) = (came, Vec::new());
            self.journeys.push(Journey { origin, packet, went, hops, arrives, opens_at: Some(node) });
            return Some(());
        };
        let delta = self.first(&self.openers.history[receiver.index()], &came, opening.time)?;
        let hops =
            vec![JourneyHop { receiver, sends: opening.sends, via: None, established: false, came, went }];
        self.finish(self.openers, arrives, came, delta, hops, Some(node))
    }

    fn first(&self, history: &[Delta], packet: &Packet, before: usize) -> Option<Delta> {
        history.iter().find(|d| d.time < before && self.view.space.contains(d.set, packet)).copied()
    }

    /// Walks back from an arrival to who sent it.
    fn finish(
        &mut self,
        run: &Run<'q, 'c>,
        arrives: Place,
        mut packet: Packet,
        mut delta: Delta,
        mut hops: Vec<JourneyHop>,
        opens_at: Option<NodeId>,
    ) -> Option<()> {
        if self.journeys.len() >= MOST_JOURNEYS {
            return None;
        }
        let went;
        let origin = loop {
            if let Some(origin) = run.origin(delta.step) {
                went = packet;
                packet = self.cause(run, delta, &packet)?;
                break origin;
            }
            let Step::Sent { receiver, sends, via, established, any_destination, change } = delta.step else {
                return None;
            };
            let node = run.network.interface(receiver).node;
            if any_destination {
                // The node sent it on as the packet's own list of addresses told it; what came in bore its address.
                let own = self.view.compiled.nodes[node.index()].to_own;
                let cause = self.view.space.intersect(run.received[receiver.index()], own);
                let from = self.with_source(cause, &packet);
                let first = pick(self.view, run.query, from)?;
                self.reception(run, receiver, first, delta.time)?;
                went = packet;
                break Origin::Reflected(node);
            }
            let next = Some(via.unwrap_or(packet.dst));
            let came = self.came(run, change, Some(receiver), packet, delta.time)?;
            let went = packet;
            hops.push(JourneyHop { receiver, sends: Some(sends), via: next, established, came, went });
            if established {
                self.opener(run, node, &came, &went, change, delta.time)?;
            }
            packet = came;
            delta = self.first(&run.history[receiver.index()], &packet, delta.time)?;
        };
        hops.reverse();
        let journey = Journey { origin, packet, went, hops, arrives, opens_at };
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

    /// Adds the journey of what made somebody send a packet that was not there before, and says what the packet was
    /// before its sender translated it.
    fn cause(&mut self, run: &Run<'q, 'c>, delta: Delta, went: &Packet) -> Option<Packet> {
        match delta.step {
            Step::Start(_) | Step::Sent { .. } => Some(*went),
            Step::Own { node, established, change } => {
                let made = self.came(run, change, None, *went, delta.time)?;
                if established {
                    let opener = self.opener(run, node, &made, went, change, delta.time);
                    // A run that takes in what others might become says on *may* only that a connection may be open.
                    if run.query.reading == Reading::Must {
                        opener?;
                    }
                }
                Some(made)
            }
            Step::Answered { receiver, cause, change } => {
                let made = self.came(run, change, None, *went, delta.time)?;
                let asker = self.view.space.addresses(Side::Src, &[AddressRange::single(made.dst)]);
                let asked = self.view.space.intersect(cause, asker);
                // A borrowed source was the destination of what was refused.
                let lender = self.view.space.addresses(Side::Dst, &[AddressRange::single(made.src)]);
                let lent = self.view.space.intersect(asked, lender);
                let asked = if lent.is_empty() { asked } else { lent };
                let asked = self.received_as(run, receiver, asked, delta.time)?;
                self.reception(run, receiver, asked, delta.time)?;
                Some(made)
            }
            Step::Beyond { receiver, cause } => {
                let first = pick(self.view, run.query, cause)?;
                self.reception(run, receiver, first, delta.time)?;
                Some(*went)
            }
            Step::Somebody { segment, cause } => {
                let first = pick(self.view, run.query, cause)?;
                self.arrival(run, Place::Segment(segment), first, delta.time + 1, None)?;
                Some(*went)
            }
        }
    }

    /// A packet that an interface received, and that its node routed as one of these. Translated destinations are any.
    fn received_as(
        &mut self,
        run: &Run<'q, 'c>,
        receiver: InterfaceId,
        routed: Set,
        before: usize,
    ) -> Option<Packet> {
        let node = run.network.interface(receiver).node;
        let mut wanted = vec![routed];
        if self.view.compiled.translates(node) {
            let any = self.view.space.forget_address(routed, Side::Dst);
            wanted.push(self.view.space.forget(any, Field::Dport));
        }
        for wanted in wanted {
            for delta in run.history[receiver.index()].iter().filter(|delta| delta.time < before) {
                let here = self.view.space.intersect(wanted, delta.set);
                if !here.is_empty() {
                    return pick(self.view, run.query, here);
                }
            }
        }
        None
    }

    /// Adds the journey of a packet that opens the connection by which another passes a node, as it came and as it went.
    fn opener(
        &mut self,
        run: &Run<'q, 'c>,
        node: NodeId,
        came: &Packet,
        went: &Packet,
        change: Option<usize>,
        time: usize,
    ) -> Option<()> {
        let openers = self.openers;
        // Inside the run of the openers, only what was open by then counts.
        let before = if std::ptr::eq(run, openers) { time } else { usize::MAX };
        let course = change.map(|change| run.changes[change].course);
        // The first packet as it came, and the ends that it had when it went on.
        let (wanted, ends) = match course {
            Some(Course::Repeats(_)) => {
                (self.alike(came), Some((went.src, went.sport, went.dst, went.dport)))
            }
            Some(Course::Reverses(_)) => {
                let first = self.alike(went);
                let ends = (came.dst, came.dport, came.src, came.sport);
                (self.view.space.reverse(first), Some(ends))
            }
            Some(Course::Fresh | Course::Plain | Course::Error) | None => {
                let alike = self.alike(came);
                let reversed = self.view.space.reverse(alike);
                (self.view.space.union(alike, reversed), None)
            }
        };
        // An error about a connection bears the address of one of its ends and else any.
        let end = if course == Some(Course::Error) { went.dst } else { came.dst };
        let end = [AddressRange::single(end)];
        let about = [self.view.space.addresses(Side::Src, &end), self.view.space.addresses(Side::Dst, &end)];
        let about = self.view.space.union(about[0], about[1]);
        for wanted in [wanted, about] {
            for opening in openers.openings[node.index()].iter().filter(|o| o.time < before) {
                let fits = self.view.space.intersect(opening.set, wanted);
                if fits.is_empty() {
                    continue;
                }
                let first = pick(self.view, run.query, fits)?;
                let went = self.went(*opening, &first, ends)?;
                return self.opening(node, *opening, first, went);
            }
        }
        None
    }

    fn alike(&mut self, packet: &Packet) -> Set {
        let one = self.view.space.packet(packet);
        self.view.tuples(one)
    }

    /// What the first packet of a connection became, with these ends if they are known.
    fn went(&mut self, opening: Opening, first: &Packet, ends: Option<Ends>) -> Option<Packet> {
        let Some(change) = opening.change else { return Some(*first) };
        if let Some((src, sport, dst, dport)) = ends {
            let (sport, dport) =
                if proto::has_ports(first.proto) { (sport, dport) } else { (first.sport, first.dport) };
            return Some(Packet { src, sport, dst, dport, ..*first });
        }
        let openers = self.openers;
        let one = self.view.space.packet(first);
        let after = openers.after(self.view, &openers.changes[change], one);
        pick(self.view, openers.query, after)
    }
}

/// Source, its port, destination, its port.
type Ends = (IpAddr, u16, IpAddr, u16);
