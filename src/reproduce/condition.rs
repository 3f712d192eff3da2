//! A condition of a rule as matches of nftables: alternatives, of which each is a list of matches that all must hold.

use super::Obstacle;
use crate::header::{AddressRange, Family, proto};
use crate::model::filter::name_fits;
use crate::model::translation::End;
use crate::model::{Interface, InterfaceId, Marked, Match, Network, NodeId, Service, State, Test};

/// Alternatives that one rule may come to.
const MOST_ALTERNATIVES: usize = 512;

/// Matches of which all must hold.
pub(super) type Conjunction = Vec<String>;

/// What a node's rules are told by: its addresses, zones and the names of its interfaces.
#[derive(Clone, Copy)]
pub(super) struct Device<'n> {
    pub(super) network: &'n Network,
    pub(super) node: NodeId,
}

/// The alternatives of a list of matches that all must hold. None means that nothing fits.
pub(super) fn all(device: Device<'_>, matches: &[Match]) -> Result<Vec<Conjunction>, Obstacle> {
    let mut found = vec![Vec::new()];
    for one in matches {
        found = product(&found, &device.alternatives(one, false)?)?;
    }
    Ok(found)
}

/// One alternative of each.
fn product(left: &[Conjunction], right: &[Conjunction]) -> Result<Vec<Conjunction>, Obstacle> {
    if left.len() * right.len() > MOST_ALTERNATIVES {
        return Err(Obstacle::new("a rule asks for more alternatives than can be written out", None));
    }
    Ok(left.iter().flat_map(|one| right.iter().map(move |other| [&one[..], other].concat())).collect())
}

/// `field` in a set, or not; both are written, since either may be asked for.
fn within(field: &str, values: &[String], negated: bool) -> String {
    let not = if negated { "!= " } else { "" };
    format!("{field} {not}{{ {} }}", values.join(", "))
}

fn ranges<T: PartialEq + std::fmt::Display>(pairs: &[(T, T)]) -> Vec<String> {
    let text = |(low, high): &(T, T)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    pairs.iter().map(text).collect()
}

fn protocol(number: u8, negated: bool) -> String {
    format!("meta l4proto {}{number}", if negated { "!= " } else { "" })
}

fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "meta nfproto ipv4",
        Family::V6 => "meta nfproto ipv6",
    }
}

impl Device<'_> {
    fn alternatives(self, one: &Match, turned: bool) -> Result<Vec<Conjunction>, Obstacle> {
        let negated = one.negated != turned;
        Ok(match &one.test {
            Test::Source(set) => addresses("saddr", set, negated),
            Test::Destination(set) => addresses("daddr", set, negated),
            Test::SourceIsOwn => addresses("saddr", &self.own(), negated),
            Test::DestinationIsOwn => addresses("daddr", &self.own(), negated),
            Test::Family(Family::V4) => {
                vec![vec![family(if negated { Family::V6 } else { Family::V4 }).to_owned()]]
            }
            Test::Family(Family::V6) => {
                vec![vec![family(if negated { Family::V4 } else { Family::V6 }).to_owned()]]
            }
            Test::Protocol(numbers) => vec![vec![within("meta l4proto", &ranges(numbers), negated)]],
            Test::Service(services) => return self.services(services, negated),
            Test::SourcePort(ports) => behind_ports(within("th sport", &ranges(ports), negated), negated),
            Test::DestinationPort(ports) => {
                behind_ports(within("th dport", &ranges(ports), negated), negated)
            }
            Test::EitherPort(ports) => {
                let [source, destination] =
                    ["th sport", "th dport"].map(|field| within(field, &ranges(ports), negated));
                if negated {
                    behind_ports(format!("{source} {destination}"), true)
                } else {
                    [behind_ports(source, false), behind_ports(destination, false)].concat()
                }
            }
            Test::TcpFlags { mask, value } => {
                let not = if negated { "!=" } else { "==" };
                let flags = vec![protocol(proto::TCP, false), format!("tcp flags & {mask} {not} {value}")];
                if negated { vec![vec![protocol(proto::TCP, true)], flags] } else { vec![flags] }
            }
            Test::State(states) => {
                let words: Vec<String> = states.iter().map(|state| state_word(*state).to_owned()).collect();
                vec![vec![within("ct state", &words, negated)]]
            }
            Test::Translated(end) => {
                let bit = match end {
                    End::Source => "snat",
                    End::Destination => "dnat",
                };
                vec![vec![format!("ct status & {bit} {} 0", if negated { "==" } else { "!=" })]]
            }
            Test::InZone(zone) => self.interfaces("iifname", negated, |it| it.zone == Some(*zone)),
            Test::OutZone(zone) => self.interfaces("oifname", negated, |it| it.zone == Some(*zone)),
            Test::InVrf(vrf) => self.interfaces("iifname", negated, |it| it.vrf == Some(*vrf)),
            Test::InName(name) => self.interfaces("iifname", negated, |it| name_fits(name, &it.name)),
            Test::OutName(name) => self.interfaces("oifname", negated, |it| name_fits(name, &it.name)),
            Test::Any(any) if negated => {
                let mut found = vec![Vec::new()];
                for each in any {
                    found = product(&found, &self.alternatives(each, true)?)?;
                }
                found
            }
            Test::Any(any) => {
                let each: Result<Vec<_>, _> = any.iter().map(|each| self.alternatives(each, false)).collect();
                each?.concat()
            }
            Test::Mark { of, mask, values } => return marks(mark_word(*of), *mask, values, negated),
            Test::Fragment(_) => return Err(Obstacle::new("a rule asks for fragments", Some(one.span))),
            Test::Unknown(_) => return Err(Obstacle::new("a rule is not understood", Some(one.span))),
        })
    }

    fn own(self) -> Vec<AddressRange> {
        self.network.own_addresses(self.node).map(AddressRange::single).collect()
    }

    fn interfaces(self, field: &str, negated: bool, wanted: impl Fn(&Interface) -> bool) -> Vec<Conjunction> {
        let ids: &[InterfaceId] = &self.network.node(self.node).interfaces;
        let all = ids.iter().map(|id| self.network.interface(*id));
        let names: Vec<String> = all.filter(|it| wanted(it)).map(|it| format!("\"{}\"", it.name)).collect();
        match (names.is_empty(), negated) {
            (true, true) => vec![Vec::new()],
            (true, false) => Vec::new(),
            (false, _) => vec![vec![within(field, &names, negated)]],
        }
    }

    fn services(self, services: &[Service], negated: bool) -> Result<Vec<Conjunction>, Obstacle> {
        if !negated {
            return Ok(services.iter().map(|service| service_parts(service, false).concat()).collect());
        }
        let mut found = vec![Vec::new()];
        for service in services {
            // Outside the protocol, or inside it and outside what is asked of it.
            let inside = service_parts(service, false);
            let mut ways = Vec::new();
            for (index, outside) in service_parts(service, true).into_iter().enumerate() {
                let before = inside[..index].concat();
                ways.extend(outside.into_iter().map(|outside| [&before[..], &[outside]].concat()));
            }
            found = product(&found, &ways)?;
        }
        Ok(found)
    }
}

/// What a service asks, part by part, or the opposite of each part.
fn service_parts(service: &Service, negated: bool) -> Vec<Vec<String>> {
    let Some(number) = service.protocol else { return Vec::new() };
    let mut parts = vec![vec![protocol(number, negated)]];
    if proto::has_ports(number) && service.ports != Service::ANY.ports {
        parts.push(vec![within("th dport", &ranges(&[service.ports]), negated)]);
    }
    let icmp = if number == proto::ICMP { "icmp" } else { "icmpv6" };
    for (field, range, any) in [
        ("type", service.icmp_types, Service::ANY.icmp_types),
        ("code", service.icmp_codes, Service::ANY.icmp_codes),
    ] {
        if range != any {
            parts.push(vec![within(&format!("{icmp} {field}"), &ranges(&[range]), negated)]);
        }
    }
    parts
}

/// What nftables calls a mark.
pub(super) fn mark_word(of: Marked) -> &'static str {
    match of {
        Marked::Packet => "meta mark",
        Marked::Connection => "ct mark",
    }
}

/// A test on a mark under a mask.
fn marks(word: &str, mask: u32, values: &[(u32, u32)], negated: bool) -> Result<Vec<Conjunction>, Obstacle> {
    if mask == u32::MAX && !values.is_empty() {
        return Ok(vec![vec![within(word, &ranges(values), negated)]]);
    }
    let field = format!("{word} & {mask:#x}");
    let mut found = if negated { vec![Vec::new()] } else { Vec::new() };
    for (low, high) in values {
        if negated {
            let outside = [format!("{field} < {low}"), format!("{field} > {high}")];
            found = product(&found, &outside.map(|one| vec![one]))?;
        } else {
            found.push(vec![format!("{field} >= {low}"), format!("{field} <= {high}")]);
        }
    }
    Ok(found)
}

/// A test on ports, which only protocols that have some pass.
fn behind_ports(test: String, negated: bool) -> Vec<Conjunction> {
    let numbers: Vec<String> =
        (0..=u8::MAX).filter(|number| proto::has_ports(*number)).map(|number| number.to_string()).collect();
    let with_ports = vec![within("meta l4proto", &numbers, false), test];
    if negated { vec![vec![within("meta l4proto", &numbers, true)], with_ports] } else { vec![with_ports] }
}

/// A test on addresses, which holds for packets of one family, or of both.
fn addresses(field: &str, set: &[AddressRange], negated: bool) -> Vec<Conjunction> {
    let mut found = Vec::new();
    for (each, word) in [(Family::V4, "ip"), (Family::V6, "ip6")] {
        let own = set.iter().filter(|range| range.family() == each);
        let own: Vec<_> = own.map(|range| (range.low, range.high)).collect();
        if !own.is_empty() {
            found.push(vec![
                family(each).to_owned(),
                within(&format!("{word} {field}"), &ranges(&own), negated),
            ]);
        } else if negated {
            found.push(vec![family(each).to_owned()]);
        }
    }
    found
}

fn state_word(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Established => "established",
        State::Related => "related",
        State::Invalid => "invalid",
        State::Untracked => "untracked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SourceId, Span};

    fn written(test: Test, negated: bool) -> Vec<String> {
        let network = Network::unchecked_empty("network");
        let device = Device { network: &network, node: NodeId(0) };
        let span = Span::new(SourceId(0), 0, 0);
        let found = all(device, &[Match { test, negated, span }]).unwrap();
        found.iter().map(|matches| matches.join(" ")).collect()
    }

    #[test]
    fn a_service_is_its_protocol_and_its_ports() {
        let web = Service::ports(proto::TCP, 80, 90);
        let ping = Service::icmp(proto::ICMP, 8);
        let both = Test::Service(vec![web, ping]);
        assert_eq!(
            written(both.clone(), false),
            ["meta l4proto 6 th dport { 80-90 }", "meta l4proto 1 icmp type { 8 }"]
        );
        // Outside each of them: of another protocol, or of that with other ports.
        assert_eq!(
            written(both, true),
            [
                "meta l4proto != 6 meta l4proto != 1",
                "meta l4proto != 6 meta l4proto 1 icmp type != { 8 }",
                "meta l4proto 6 th dport != { 80-90 } meta l4proto != 1",
                "meta l4proto 6 th dport != { 80-90 } meta l4proto 1 icmp type != { 8 }",
            ]
        );
        assert_eq!(written(Test::Service(vec![Service::ANY]), false), [""]);
        assert_eq!(written(Test::Service(vec![Service::ANY]), true), [""; 0]);
    }

    #[test]
    fn addresses_are_asked_of_the_packets_of_their_family() {
        let range =
            |low: &str, high: &str| AddressRange { low: low.parse().unwrap(), high: high.parse().unwrap() };
        let v4 = Test::Source(vec![range("10.0.0.0", "10.0.0.9")]);
        assert_eq!(written(v4.clone(), false), ["meta nfproto ipv4 ip saddr { 10.0.0.0-10.0.0.9 }"]);
        assert_eq!(
            written(v4.clone(), true),
            ["meta nfproto ipv4 ip saddr != { 10.0.0.0-10.0.0.9 }", "meta nfproto ipv6"]
        );
        let span = Span::new(SourceId(0), 0, 0);
        let v6 = Match { test: Test::Family(Family::V6), negated: false, span };
        let either = Test::Any(vec![Match { test: v4, negated: false, span }, v6]);
        assert_eq!(written(either.clone(), false).len(), 2);
        assert_eq!(
            written(either, true),
            [
                "meta nfproto ipv4 ip saddr != { 10.0.0.0-10.0.0.9 } meta nfproto ipv4",
                "meta nfproto ipv6 meta nfproto ipv4",
            ]
        );
    }

    #[test]
    fn a_port_is_asked_of_protocols_that_have_ports() {
        let ports = "meta l4proto { 6, 17, 33, 132, 136 }";
        let outside = "meta l4proto != { 6, 17, 33, 132, 136 }";
        let either = Test::EitherPort(vec![(53, 53)]);
        assert_eq!(
            written(either.clone(), false),
            [format!("{ports} th sport {{ 53 }}"), format!("{ports} th dport {{ 53 }}")]
        );
        assert_eq!(
            written(either, true),
            [outside.to_owned(), format!("{ports} th sport != {{ 53 }} th dport != {{ 53 }}")]
        );
    }

    #[test]
    fn what_nobody_understands_is_written_for_no_kernel() {
        let network = Network::unchecked_empty("network");
        let device = Device { network: &network, node: NodeId(0) };
        let span = Span::new(SourceId(0), 3, 9);
        let unknown = Match { test: Test::Unknown(crate::model::UnknownId(0)), negated: false, span };
        assert_eq!(all(device, &[unknown]).unwrap_err().span, Some(span));
    }
}
