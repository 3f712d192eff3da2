//! What is shown is what happens: witnesses of *must*, on random networks, are walked by the second interpreter.

use super::{cases, query, rows};
use crate::support::compare::places;
use crate::support::random::Case;
use crate::support::row::between_nodes;
use crate::support::universe::universe;
use isoaudit::engine::{Compiled, FreeFlow, Limits, Places, Query, solve};
use isoaudit::header::{AddressRange, Family, Packet, address_from_number, address_number, proto};
use isoaudit::model::{Match, Network, Reading, Service, State, Test};
use isoaudit::replay::{Place, Question, explore};
use isoaudit::verdict::confirms;
use std::net::IpAddr;

/// The query with one place as its target.
fn about(query: &Query, network: &Network, place: Place) -> Query {
    let mut targets = Places::none(network.nodes.len(), network.segments.len());
    match place {
        Place::Node(id) => targets.nodes[id.index()] = true,
        Place::Segment(id) => targets.segments[id.index()] = true,
    }
    Query { targets, ..query.clone() }
}

/// Asks for certain about one place: the number of packets of a witness that is confirmed; 0 if there is none.
pub(super) fn packets_to(network: &Network, question: &Question, place: Place) -> usize {
    let asked = about(&query(network, Reading::Must, question), network, place);
    shown(network, &Compiled::new(network), &asked, &format!("{place:?}"))
}

/// Asks whether a place is reached, and has what shows it confirmed. The number of packets of the witness; 0 if there is none.
fn shown(network: &Network, compiled: &Compiled<'_>, query: &Query, told: &str) -> usize {
    let answer = solve(compiled, query, Limits::default());
    let Some(witness) = &answer.witness else {
        assert_eq!(answer.reached, [], "{told}: reached, and nothing shows it");
        return 0;
    };
    assert!(confirms(network, query, witness), "{told}: not confirmed: {witness:#?}");
    witness.journeys.len()
}

#[test]
fn every_certain_witness_is_confirmed() {
    let mut found = 0;
    for (seed, case) in cases(150) {
        let network = &case.network;
        let compiled = Compiled::new(network);
        let open = query(network, Reading::Must, &case.question);
        for place in places(network) {
            for own_sources in [false, true] {
                let asked = Query { own_sources, ..about(&open, network, place) };
                let told = format!("seed {seed}, {place:?}, own sources {own_sources}");
                found += usize::from(shown(network, &compiled, &asked, &told) > 0);
            }
        }
    }
    assert!(found > 100, "only {found} witnesses");
    println!("{found} witnesses");
}

/// The network whose devices know of no connection.
fn forgetful(mut network: Network) -> Network {
    fn forget(one: &mut Match) {
        match &mut one.test {
            Test::State(states) => states.retain(|state| *state != State::Established),
            Test::Any(inner) => inner.iter_mut().for_each(forget),
            _ => {}
        }
    }
    let rules = network.filters.iter_mut().flat_map(|f| &mut f.chains).flat_map(|c| &mut c.rules);
    rules.flat_map(|rule| &mut rule.matches).for_each(forget);
    network
}

/// Every address but one.
fn all_but(address: IpAddr) -> Vec<AddressRange> {
    let family = Family::of(address);
    let other = Family::ALL.into_iter().filter(|f| *f != family).map(AddressRange::all);
    let all = AddressRange::all(family);
    let (at, last) = (address_number(address), address_number(all.high));
    let below = at.checked_sub(1).map(|high| (0, high));
    let above = (at < last).then(|| (at + 1, last));
    let range = |(low, high)| AddressRange {
        low: address_from_number(family, low),
        high: address_from_number(family, high),
    };
    other.chain(below.into_iter().chain(above).map(range)).collect()
}

/// Every service but that of a packet, as far as protocols, destination ports and types tell it.
fn other_services(packet: &Packet) -> Vec<Service> {
    let own = Service::protocol(packet.proto);
    let mut others: Vec<Service> =
        (0..=u8::MAX).filter(|number| *number != packet.proto).map(Service::protocol).collect();
    if proto::has_ports(packet.proto) {
        let below = packet.dport.checked_sub(1).map(|high| (0, high));
        let above = packet.dport.checked_add(1).map(|low| (low, u16::MAX));
        others.extend(below.into_iter().chain(above).map(|ports| Service { ports, ..own }));
    }
    if [proto::ICMP, proto::ICMPV6].contains(&packet.proto) {
        let below = packet.icmp_type.checked_sub(1).map(|high| (0, high));
        let above = packet.icmp_type.checked_add(1).map(|low| (low, u8::MAX));
        others.extend(below.into_iter().chain(above).map(|icmp_types| Service { icmp_types, ..own }));
    }
    others
}

/// What is free where only packets like this one are asked for. On *must* that a packet is free keeps nobody from sending it.
fn all_others(packet: &Packet) -> Vec<FreeFlow> {
    let everywhere = || Family::ALL.map(AddressRange::all).to_vec();
    let flow = |src, dst, services| FreeFlow { src, dst, services, replies: false };
    vec![
        flow(all_but(packet.src), everywhere(), Vec::new()),
        flow(everywhere(), all_but(packet.dst), Vec::new()),
        flow(everywhere(), everywhere(), other_services(packet)),
    ]
}

/// Packets that arrive because of a connection only: what opens it is shown too, and is confirmed.
#[test]
fn every_certain_witness_with_a_connection_is_confirmed() {
    let mut several = 0;
    for (seed, Case { network, question }) in rows(60) {
        let network = &network;
        let packets = between_nodes(network, universe(network, &question));
        let without = forgetful(network.clone());
        let compiled = Compiled::new(network);
        let [all, fresh] = [network, &without].map(|n| explore(n, Reading::Must, &question, &packets));
        let open = query(network, Reading::Must, &question);
        for place in places(network) {
            let by_connection = |p: &&Packet| all.holds(place, p) && !fresh.holds(place, p);
            for packet in packets.iter().filter(by_connection).step_by(2).take(8) {
                let asked = Query { free: all_others(packet), ..about(&open, network, place) };
                let told = format!("seed {seed}, {place:?}, {packet}");
                several += usize::from(shown(network, &compiled, &asked, &told) > 1);
            }
        }
    }
    assert!(several > 20, "only {several} witnesses with more than one packet");
    println!("{several} witnesses with more than one packet");
}
