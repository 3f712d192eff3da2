//! The packets that a network can tell apart: one of each kind.
//!
//! Two values of a field are of one kind if every test, route and address of the network answers alike for both. So what
//! holds for the representatives holds for all packets, and the universe is closed under everything that a walk does.

use isoaudit::header::{
    AddressRange, Family, Fragment, Packet, address_from_number, address_number, proto, tcp_flags,
};
use isoaudit::model::{Assumption, Match, Network, NewAddress, RouteAction, Service, Test};
use isoaudit::replay::{Place, Question, Stance};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Everything that conditions of a network ask.
#[derive(Default)]
struct Asked {
    /// Ports that translations give.
    given: Vec<(u16, u16)>,
    tests: Vec<Test>,
    services: Vec<Service>,
}

impl Asked {
    fn of(network: &Network, question: &Question) -> Asked {
        let mut asked = Asked { services: question.services.clone(), ..Asked::default() };
        let translations = network.filters.iter().flat_map(|filter| &filter.translations);
        asked.given = translations.filter_map(|translation| translation.ports).collect();
        let chains = network.filters.iter().flat_map(|filter| &filter.chains);
        chains.flat_map(|chain| &chain.rules).for_each(|rule| asked.add(&rule.matches));
        asked
    }

    fn add(&mut self, matches: &[Match]) {
        for one in matches {
            match &one.test {
                Test::Any(inner) => self.add(inner),
                Test::Service(services) => self.services.extend(services),
                other => self.tests.push(other.clone()),
            }
        }
    }

    fn looks_at_ports(&self) -> bool {
        self.services.iter().any(Service::names_ports)
            || self.tests.iter().any(|test| {
                matches!(
                    test,
                    Test::SourcePort(_)
                        | Test::DestinationPort(_)
                        | Test::EitherPort(_)
                        | Test::TcpFlags { .. }
                )
            })
    }
}

/// One value of each kind: the first of those with the same signature.
fn kinds<T: Copy, S: Ord>(values: impl IntoIterator<Item = T>, signature: impl Fn(T) -> S) -> Vec<T> {
    let mut seen = BTreeMap::new();
    for (order, value) in values.into_iter().enumerate() {
        seen.entry(signature(value)).or_insert((order, value));
    }
    let mut kept: Vec<(usize, T)> = seen.into_values().collect();
    kept.sort_by_key(|(order, _)| *order);
    kept.into_iter().map(|(_, value)| value).collect()
}

/// One packet of each kind.
pub(crate) fn universe(network: &Network, question: &Question) -> Vec<Packet> {
    let asked = Asked::of(network, question);
    let tracks = network.filters.iter().any(|filter| filter.tracks);
    let mut all = Vec::new();
    for family in Family::ALL {
        let addresses = addresses(network, question, family);
        let contents = contents(network, &asked, family, tracks);
        for src in &addresses {
            for dst in &addresses {
                all.extend(contents.iter().map(|packet| Packet { src: *src, dst: *dst, ..*packet }));
            }
        }
    }
    // In order, so that sets of them are quickly made.
    all.sort_unstable();
    all
}

/// Every list of addresses that the network tells from the rest.
fn address_sets(network: &Network, question: &Question, family: Family) -> Vec<Vec<AddressRange>> {
    let mut sets: Vec<Vec<AddressRange>> = question.destinations.iter().map(|range| vec![*range]).collect();
    for address in network.interfaces.iter().flat_map(|interface| &interface.addresses) {
        sets.push(vec![AddressRange::single(address.net.addr())]);
        if family == Family::V4 && address.net.prefix_len() <= 30 {
            sets.push(vec![AddressRange::single(address.net.broadcast())]);
        }
    }
    for foothold in question.footholds.iter().chain(&question.openers) {
        // Hosts that nobody described have the addresses of a prefix but those of the net itself and of interfaces.
        let (Place::Segment(segment), Stance::Honest) = (foothold.place, foothold.stance) else { continue };
        let attached = network.segment(segment).attached.iter();
        for address in attached.flat_map(|id| &network.interface(*id).addresses) {
            sets.push(vec![AddressRange::prefix(address.net.trunc())]);
            sets.push(vec![AddressRange::single(address.net.network())]);
        }
    }
    for node in &network.nodes {
        let prefixes = node.lookup.iter().flat_map(|rule| rule.from.iter().chain(&rule.to));
        let routes = node.tables.iter().flat_map(|table| &table.routes).map(|route| &route.prefix);
        sets.extend(prefixes.chain(routes).map(|net| vec![AddressRange::prefix(net.trunc())]));
        let routes = node.tables.iter().flat_map(|table| &table.routes);
        let hops = routes.filter_map(|route| match &route.action {
            RouteAction::Send(hops) => Some(hops),
            RouteAction::Blackhole | RouteAction::Unreachable | RouteAction::Throw => None,
        });
        sets.extend(hops.flatten().filter_map(|hop| hop.via).map(|via| vec![AddressRange::single(via)]));
    }
    let asked = Asked::of(network, question);
    sets.extend(asked.tests.into_iter().filter_map(|test| match test {
        Test::Source(ranges) | Test::Destination(ranges) => Some(ranges),
        _ => None,
    }));
    let translations = network.filters.iter().flat_map(|filter| &filter.translations);
    sets.extend(translations.filter_map(|translation| match translation.to {
        NewAddress::Range(range) => Some(vec![range]),
        NewAddress::Prefix(net) => Some(vec![AddressRange::prefix(net)]),
        NewAddress::Kept | NewAddress::Interface => None,
    }));
    let special: &[&[&str]] = match family {
        Family::V4 => &[&["0.0.0.0/8", "127.0.0.0/8"], &["224.0.0.0/4"], &["255.255.255.255/32"]],
        Family::V6 => &[&["::/128", "::1/128"], &["ff00::/8"], &["fe80::/10"]],
    };
    sets.extend(special.iter().map(|texts| super::net::ranges(texts)));
    sets.iter_mut().for_each(|set| set.retain(|range| range.family() == family));
    sets
}

/// One address of each kind.
fn addresses(network: &Network, question: &Question, family: Family) -> Vec<IpAddr> {
    let used = network.interfaces.iter().flat_map(|interface| &interface.addresses);
    let used = used.filter(|address| Family::of(address.net.addr()) == family).count();
    let routed = network.nodes.iter().flat_map(|node| &node.tables).flat_map(|table| &table.routes);
    if used == 0 && routed.filter(|route| Family::of(route.prefix.addr()) == family).count() == 0 {
        return Vec::new();
    }
    let sets = address_sets(network, question, family);
    let mut starts = vec![0_u128];
    for range in sets.iter().flatten() {
        starts.push(address_number(range.low));
        if range.high != AddressRange::all(family).high {
            starts.push(address_number(range.high) + 1);
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let candidates = starts.into_iter().map(|number| address_from_number(family, number));
    kinds(candidates, |address| -> Vec<bool> {
        sets.iter().map(|set| set.iter().any(|range| range.contains(address))).collect()
    })
}

/// One packet of each kind but for its addresses.
fn contents(network: &Network, asked: &Asked, family: Family, tracks: bool) -> Vec<Packet> {
    let low = AddressRange::all(family).low;
    let blank = Packet {
        src: low,
        dst: low,
        proto: 0,
        sport: 0,
        dport: 0,
        icmp_type: 0,
        icmp_code: 0,
        flags: 0,
        fragment: Fragment::Whole,
    };
    let mut all = Vec::new();
    for number in protocols(asked, family) {
        let one = Packet { proto: number, ..blank };
        let mut these = vec![one];
        if proto::has_ports(number) {
            let ports = ports(asked);
            these = each(&these, &ports, |packet, port| Packet { sport: port, ..packet });
            these = each(&these, &ports, |packet, port| Packet { dport: port, ..packet });
        }
        if number == proto::TCP {
            these = each(&these, &flags(asked, tracks), |packet, flags| Packet { flags, ..packet });
        }
        if number == family.icmp() {
            let types = icmp_types(asked, family, tracks);
            let codes = kinds(0..=u8::MAX, |code| {
                asked
                    .services
                    .iter()
                    .map(|s| (s.icmp_codes.0..=s.icmp_codes.1).contains(&code))
                    .collect::<Vec<_>>()
            });
            these = each(&these, &types, |packet, icmp_type| Packet { icmp_type, ..packet });
            these = each(&these, &codes, |packet, icmp_code| Packet { icmp_code, ..packet });
        }
        all.extend(each(&these, &fragments(network, asked), |packet, fragment| Packet {
            fragment,
            ..packet
        }));
    }
    all
}

fn each<T: Copy>(packets: &[Packet], values: &[T], set: impl Fn(Packet, T) -> Packet) -> Vec<Packet> {
    packets
        .iter()
        .flat_map(|packet| values.iter().map(|value| set(*packet, *value)).collect::<Vec<_>>())
        .collect()
}

fn protocols(asked: &Asked, family: Family) -> Vec<u8> {
    // The ICMP of the other family is left out: no device sends it, and nobody says what it would be.
    let other = if family == Family::V4 { proto::ICMPV6 } else { proto::ICMP };
    kinds((0..=u8::MAX).filter(|number| *number != other), |number| {
        let named = asked.services.iter().map(|service| service.protocol.is_none_or(|named| named == number));
        let tested = asked.tests.iter().map(|test| match test {
            Test::Protocol(ranges) => ranges.iter().any(|(l, h)| (*l..=*h).contains(&number)),
            _ => false,
        });
        let answers: Vec<bool> = named.chain(tested).collect();
        (proto::has_ports(number), number == proto::TCP, number == family.icmp(), answers)
    })
}

fn ports(asked: &Asked) -> Vec<u16> {
    let mut starts = vec![0];
    let mut sets: Vec<Vec<(u16, u16)>> = asked.services.iter().map(|service| vec![service.ports]).collect();
    sets.extend(asked.tests.iter().filter_map(|test| match test {
        Test::SourcePort(ranges) | Test::DestinationPort(ranges) | Test::EitherPort(ranges) => {
            Some(ranges.clone())
        }
        _ => None,
    }));
    sets.extend(asked.given.iter().map(|range| vec![*range]));
    for (low, high) in sets.iter().flatten() {
        starts.extend([*low, high.saturating_add(1)]);
    }
    starts.sort_unstable();
    starts.dedup();
    kinds(starts, |port| -> Vec<bool> {
        sets.iter().map(|set| set.iter().any(|(low, high)| (*low..=*high).contains(&port))).collect()
    })
}

fn flags(asked: &Asked, tracks: bool) -> Vec<u8> {
    let stops = tcp_flags::ACK | tcp_flags::RST | tcp_flags::FIN;
    // The flags of a first packet come first, so that they stand for whatever nobody tells apart.
    let order = std::iter::once(tcp_flags::SYN).chain(0..=u8::MAX);
    kinds(order, |flags| {
        let opens = tracks && flags & tcp_flags::SYN != 0 && flags & stops == 0;
        let answers: Vec<bool> = asked
            .tests
            .iter()
            .map(|test| match test {
                Test::TcpFlags { mask, value } => flags & mask == *value,
                _ => false,
            })
            .collect();
        (opens, answers)
    })
}

fn icmp_types(asked: &Asked, family: Family, tracks: bool) -> Vec<u8> {
    let v4 = [(8_u8, 0_u8), (13, 14), (15, 16), (17, 18)];
    let pairs: &[(u8, u8)] = if family == Family::V4 { &v4 } else { &[(128, 129), (139, 140)] };
    let errors: &[u8] = if family == Family::V4 { &[3, 4, 5, 11, 12] } else { &[1, 2, 3, 4, 137] };
    let named = |kind: u8| -> Vec<bool> {
        asked.services.iter().map(|s| (s.icmp_types.0..=s.icmp_types.1).contains(&kind)).collect()
    };
    kinds(0..=u8::MAX, |kind| {
        let request = pairs.iter().find(|(request, _)| *request == kind);
        let answer = pairs.iter().find(|(_, answer)| *answer == kind);
        let partner = request.map(|(_, answer)| *answer).or(answer.map(|(request, _)| *request));
        let roles = (request.is_some(), answer.is_some(), errors.contains(&kind));
        let roles = if tracks { roles } else { (false, false, false) };
        (roles, named(kind), partner.filter(|_| tracks).map(named))
    })
}

fn fragments(network: &Network, asked: &Asked) -> Vec<Fragment> {
    let told_apart = asked.tests.iter().any(|test| matches!(test, Test::Fragment(_)));
    let may_be_blind = asked.looks_at_ports() && !network.assumes(Assumption::Reassembled);
    if told_apart {
        Fragment::ALL.to_vec()
    } else if may_be_blind {
        vec![Fragment::Whole, Fragment::Later]
    } else {
        vec![Fragment::Whole]
    }
}
