//! Packets to ask about: from the edges of what rules and routes speak of, and from what the engine shows.

use super::bench::From;
use super::beside::{Probe, Spot, query};
use super::chance::Chance;
use super::described::Described;
use super::frame::Shape;
use super::random::{families, prefixes};
use super::rules::PORTS;
use super::spec::Spec;
use isoaudit::engine::{self, Compiled, Limits};
use isoaudit::header::{Family, Fragment, Packet, address_from_number, address_number, proto, tcp_flags};
use isoaudit::model::Reading;
use std::net::IpAddr;

/// Addresses that some text tells from their neighbours, and those neighbours.
fn addresses(spec: &Spec, family: Family) -> Vec<IpAddr> {
    let mut edges: Vec<u128> = Vec::new();
    let mut add = |net: ipnet::IpNet| {
        for edge in [address_number(net.network()), address_number(net.broadcast())] {
            edges.extend([edge.saturating_sub(1), edge, edge.saturating_add(1)]);
        }
    };
    prefixes(spec, family).into_iter().for_each(|(net, _)| add(net));
    let routes = spec.nodes.iter().flat_map(|node| &node.routes).map(|route| route.to);
    routes.filter(|net| Family::of(net.addr()) == family && net.prefix_len() > 0).for_each(&mut add);
    for rule in
        spec.nodes.iter().flat_map(|node| &node.tables[family as usize].tables).flat_map(|table| &table.rules)
    {
        for word in rule.split([' ', '-', '[', ']']) {
            if let Ok(net) = word.parse::<ipnet::IpNet>() {
                add(net);
            } else if let Ok(address) = word.parse::<IpAddr>() {
                add(address.into());
            } else if let Ok(address) = word.parse::<std::net::SocketAddr>() {
                add(address.ip().into());
            }
        }
    }
    let own = (0..spec.nodes.len()).flat_map(|node| spec.addresses_of(node));
    edges.extend(own.filter(|address| Family::of(*address) == family).map(address_number));
    let far: IpAddr = if family == Family::V4 { "192.0.2.9" } else { "2001:db8::9" }.parse().unwrap();
    edges.push(address_number(far));
    edges.sort_unstable();
    edges.dedup();
    edges.into_iter().map(|number| address_from_number(family, number)).collect()
}

/// The same packets with what makes one the answer to another: the identifier of ICMP, the numbers of TCP.
fn in_conversation(mut probes: Vec<Probe>) -> Vec<Probe> {
    let echo = probes.first().map_or(0, |first| first.shape.echo);
    let first = probes.first().map(|first| first.packet);
    for probe in &mut probes {
        probe.shape.echo = echo;
        if first.is_some_and(|first| first.src == probe.packet.dst && first.dst == probe.packet.src) {
            probe.shape.tcp = (5000, 1009);
        }
    }
    probes
}

/// Who asks what about one network.
pub(crate) struct Asker<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) chance: Chance,
    pools: [Vec<IpAddr>; 2],
    pub(crate) owned: [Vec<IpAddr>; 2],
    marker: u32,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(spec: &'a Spec, seed: u64) -> Asker<'a> {
        let owned = |family: Family| {
            let all = (0..spec.nodes.len()).flat_map(|node| spec.addresses_of(node));
            all.filter(|address| Family::of(*address) == family).collect()
        };
        let pools = Family::ALL.map(|family| addresses(spec, family));
        Asker {
            spec,
            chance: Chance::new(seed ^ 0x5eed),
            pools,
            owned: Family::ALL.map(owned),
            marker: 0x1000,
        }
    }

    pub(crate) fn shape(&mut self) -> Shape {
        self.marker += 2;
        Shape::plain(self.marker)
    }

    pub(crate) fn address(&mut self, family: Family, owned: usize) -> IpAddr {
        let owns = self.chance.percent(owned);
        let pool = if owns { &self.owned } else { &self.pools };
        self.chance.pick(&pool[family as usize])
    }

    pub(crate) fn port(&mut self) -> u16 {
        let port = self.chance.pick(PORTS);
        match self.chance.below(4) {
            0 => port.wrapping_sub(1),
            1 => port.wrapping_add(1),
            _ => port,
        }
    }

    /// A place to send from: a host's line, or either side of another.
    pub(crate) fn origin(&mut self) -> From {
        let link = self.chance.below(self.spec.links.len());
        let of_host = self.spec.nodes[self.spec.links[link].ends[0].node].is_host;
        From::Line { link, to: if of_host { 1 } else { self.chance.below(2) } }
    }

    pub(crate) fn transport(&mut self, src: IpAddr, dst: IpAddr) -> Packet {
        let family = Family::of(src);
        let mut packet = Packet {
            src,
            dst,
            proto: 0,
            sport: 0,
            dport: 0,
            icmp_type: 0,
            icmp_code: 0,
            flags: 0,
            fragment: Fragment::Whole,
        };
        match self.chance.below(20) {
            0..=8 => {
                const ODD: &[u8] = &[0x12, 0x10, 0x11, 0x04, 0x14, 0x00, 0x01, 0x18, 0x03, 0x29, 0x42];
                let is_plain = self.chance.percent(75);
                packet.flags = if is_plain { tcp_flags::SYN } else { self.chance.pick(ODD) };
                packet.proto = proto::TCP;
            }
            9..=14 => packet.proto = proto::UDP,
            15..=17 => {
                packet.proto = family.icmp();
                packet.icmp_type = match family {
                    Family::V4 => self.chance.pick(&[8, 8, 8, 0, 3, 11, 13, 9, 12]),
                    Family::V6 => self.chance.pick(&[128, 128, 128, 129, 1, 3, 139, 140]),
                };
                if self.chance.percent(15) {
                    packet.icmp_code = 3;
                }
            }
            18 => packet.proto = proto::GRE,
            _ => packet.proto = proto::SCTP,
        }
        if proto::has_ports(packet.proto) {
            (packet.sport, packet.dport) = (self.port(), self.port());
        }
        packet
    }

    /// A packet out of the blue.
    pub(crate) fn single(&mut self) -> Probe {
        let family = self.chance.pick(families(self.spec));
        let mut from = self.origin();
        let near = match from {
            From::Line { link, to } => self.spec.links[link].ends[1 - to].node,
            From::Own(node) => node,
        };
        let own: Vec<IpAddr> =
            self.spec.addresses_of(near).into_iter().filter(|a| Family::of(*a) == family).collect();
        let mut src = if self.chance.percent(60) { self.chance.pick(&own) } else { self.address(family, 40) };
        let mut dst = self.address(family, 65);
        if self.chance.percent(8) {
            from = From::Own(near);
            src = self.chance.pick(&own);
            // What it sends to itself leaves it if it is translated.
            dst = if self.chance.percent(30) { self.chance.pick(&own) } else { dst };
        }
        let mut packet = self.transport(src, dst);
        if self.chance.percent(10) && from != From::Own(near) {
            packet.fragment = self.chance.pick(&[Fragment::First, Fragment::Later]);
        }
        Probe { from, packet, shape: self.shape() }
    }

    /// The line of the host that has an address, seen from its router.
    pub(crate) fn line_of(&self, address: IpAddr) -> Option<From> {
        let of_hosts =
            self.spec.links.iter().enumerate().filter(|(_, link)| self.spec.nodes[link.ends[0].node].is_host);
        let mut owning =
            of_hosts.filter(|(_, link)| link.ends[0].addresses.iter().any(|net| net.addr() == address));
        owning.next().map(|(link, _)| From::Line { link, to: 1 })
    }

    /// The engine's own way to each spot: packets in order, the last of which arrives there.
    pub(crate) fn witnesses(
        &mut self,
        described: &Described,
        compiled: &Compiled<'_>,
        link: usize,
        reading: Reading,
    ) -> Vec<(Vec<Probe>, Spot)> {
        let mut found = Vec::new();
        let lines = (0..self.spec.links.len()).filter(|other| *other != link).map(Spot::Line);
        for spot in lines.chain((0..self.spec.nodes.len()).map(Spot::Node)) {
            let mut query = query(described, link, reading);
            match spot {
                Spot::Line(number) => query.targets.segments[described.segments[number].index()] = true,
                Spot::Node(number) => query.targets.nodes[described.nodes[number].index()] = true,
            }
            let Some(witness) = engine::solve(compiled, &query, Limits::default()).witness else { continue };
            let probe = |journey: &engine::Journey| -> Option<Probe> {
                let engine::Origin::Adversary(_) = journey.origin else { return None };
                let receiver = described.network.interface(journey.hops.first()?.receiver).node;
                let to = (0..2)
                    .find(|side| described.nodes[self.spec.links[link].ends[*side].node] == receiver)?;
                self.marker += 2;
                let shape = Shape::plain(self.marker);
                Some(Probe { from: From::Line { link, to }, packet: journey.packet, shape })
            };
            let all: Option<Vec<Probe>> = witness.journeys.iter().map(probe).collect();
            found.extend(all.map(|probes| (in_conversation(probes), spot)));
        }
        found
    }
}
