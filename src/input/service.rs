//! The one syntax of services: `tcp/443`, `udp/8000-8100`, `icmp/echo-request`, `icmp/3/4`, `gre`, `proto/89`,
//! `any`. Policies and claims share it.

use super::word::{Flaw, number, range};
use crate::diag::{Code, Diagnostics, suggest};
use crate::header::{ICMP_TYPES, proto};
use crate::model::Service;
use crate::source::Span;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::{opt, rest};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// Names that other tools use for protocols, and ours.
const ALIASES: &[(&str, u8)] = &[
    ("icmp6", proto::ICMPV6),
    ("ipv6-icmp", proto::ICMPV6),
    ("ipencap", proto::IPIP),
    ("udp-lite", proto::UDPLITE),
];

/// Ports that people know by a name, for suggestions only: a port is written as a number.
const KNOWN_PORTS: &[(&str, u16)] = &[
    ("bgp", 179),
    ("dns", 53),
    ("domain", 53),
    ("ftp", 21),
    ("http", 80),
    ("https", 443),
    ("ike", 500),
    ("imaps", 993),
    ("kerberos", 88),
    ("ldap", 389),
    ("ldaps", 636),
    ("mysql", 3306),
    ("ntp", 123),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("rdp", 3389),
    ("smtp", 25),
    ("snmp", 161),
    ("ssh", 22),
    ("syslog", 514),
    ("telnet", 23),
];

/// Reads the value of a `service` key in a description: one service, or several in braces with commas between.
/// `span` is the place of the text, and of every diagnostic if it does not have the text's length (a
/// scalar with escapes).
pub fn read(text: &str, span: Span, diagnostics: &mut Diagnostics) -> Option<Vec<Service>> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(inner);
    let mut services = Vec::new();
    let mut complete = true;
    for part in inner.split(',') {
        match read_word(part.trim()) {
            Ok(service) => services.push(service),
            Err(flaw) => {
                complete = false;
                let exact = (span.end - span.start) as usize == text.len();
                let mut diagnostic = flaw.diagnostic(text, span.source);
                diagnostic.span = match diagnostic.span {
                    Some(at) if exact => {
                        Some(Span { start: at.start + span.start, end: at.end + span.start, ..span })
                    }
                    Some(_) | None => Some(span),
                };
                diagnostics.push(diagnostic);
            }
        }
    }
    complete.then_some(services)
}

/// A word up to the next `/`, and what stands behind the `/`.
fn split(word: &str) -> IResult<&str, (&str, Option<&str>)> {
    (take_while1(|c| c != '/'), opt(preceded(char('/'), rest))).parse(word)
}

/// `proto/` or `proto-`, which a number follows.
fn numbered(word: &str) -> IResult<&str, &str> {
    let (behind, _) = tag("proto")(word)?;
    preceded(nom::branch::alt((char('/'), char('-'))), take_while1(|c| c != '/')).parse(behind)
}

/// Reads one service.
pub(crate) fn read_word(word: &str) -> Result<Service, Flaw<'_>> {
    if let Ok((behind, digits)) = numbered(word) {
        let protocol = number(digits, 255, "a protocol number", Code::Policy)? as u8;
        if behind.is_empty() {
            return Ok(Service::protocol(protocol));
        }
        let flaw = Flaw::new(behind, Code::Policy, "a protocol by its number has no ports here");
        return Err(flaw.maybe_help(proto::name(protocol).map(|name| format!("write `{name}{behind}`"))));
    }
    let Ok((_, (name, behind))) = split(word) else {
        return Err(Flaw::new(word, Code::Policy, "expected a service").help("such as `tcp/443`"));
    };
    if name == "any" {
        return match behind {
            None => Ok(Service::ANY),
            Some(_) => Err(Flaw::new(word, Code::Policy, "`any` is every protocol, and has no ports")
                .help("name the protocol: `{ tcp/443, udp/443 }`")),
        };
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, number)| *number);
    match proto::number(name).or(alias) {
        Some(protocol) => carried(word, protocol, behind),
        None => Err(unknown_protocol(name)),
    }
}

fn unknown_protocol(name: &str) -> Flaw<'_> {
    let flaw = Flaw::new(name, Code::Policy, format!("unknown protocol `{name}`"));
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return flaw
            .help(format!("a port belongs to a protocol: `tcp/{name}`, or `proto/{name}` for a protocol"));
    }
    if let Some((_, port)) = KNOWN_PORTS.iter().find(|(known, _)| *known == name) {
        return flaw.help(format!("write the protocol and the port: `tcp/{port}`"));
    }
    let names = proto::NAMES.iter().map(|(_, name)| *name).chain(ALIASES.iter().map(|(name, _)| *name));
    flaw.maybe_help(suggest(name, names)).or_help("a protocol without a name is written `proto/NUMBER`")
}

impl<'a> Flaw<'a> {
    /// Says how to fix it unless something was said already.
    fn or_help(self, text: &str) -> Flaw<'a> {
        if self.help.is_some() { self } else { self.help(text) }
    }
}

/// What stands behind the protocol: ports, an ICMP type and code, or nothing.
fn carried<'a>(word: &'a str, protocol: u8, behind: Option<&'a str>) -> Result<Service, Flaw<'a>> {
    let Some(behind) = behind else { return Ok(Service::protocol(protocol)) };
    if proto::has_ports(protocol) {
        return ports(behind).map(|(low, high)| Service::ports(protocol, low, high));
    }
    if matches!(protocol, proto::ICMP | proto::ICMPV6) {
        return icmp(protocol, behind);
    }
    let name = word.get(..word.len() - behind.len() - 1).unwrap_or(word);
    Err(Flaw::new(behind, Code::Policy, format!("`{name}` has no ports"))
        .help(format!("write `{name}` alone")))
}

fn ports(text: &str) -> Result<(u16, u16), Flaw<'_>> {
    if let Some((_, port)) = KNOWN_PORTS.iter().find(|(known, _)| *known == text) {
        let flaw = Flaw::new(text, Code::Policy, format!("the port `{text}` is a name"));
        return Err(flaw.help(format!("ports are numbers: write `{port}`")));
    }
    let (low, high) = range(text, u32::from(u16::MAX), "a port", Code::Policy)?;
    Ok((low as u16, high as u16))
}

fn icmp(protocol: u8, text: &str) -> Result<Service, Flaw<'_>> {
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind, Some(code)),
        None => (text, None),
    };
    let (low, high) = icmp_type(protocol, kind)?;
    let mut service = Service { icmp_types: (low, high), ..Service::protocol(protocol) };
    if let Some(code) = code {
        let (low, high) = range(code, 255, "an ICMP code", Code::Policy)?;
        service.icmp_codes = (low as u8, high as u8);
    }
    Ok(service)
}

fn icmp_type(protocol: u8, text: &str) -> Result<(u8, u8), Flaw<'_>> {
    let own = |v4: Option<u8>, v6: Option<u8>| if protocol == proto::ICMP { v4 } else { v6 };
    let american = text.replace("neighbor", "neighbour");
    let known = ICMP_TYPES.iter().find(|(name, _, _)| *name == american);
    if let Some((name, v4, v6)) = known {
        let other = if protocol == proto::ICMP { "icmpv6" } else { "icmp" };
        return own(*v4, *v6).map(|kind| (kind, kind)).ok_or_else(|| {
            let message = format!("`{}` has no type `{name}`", proto::name(protocol).unwrap_or(""));
            Flaw::new(text, Code::Policy, message).help(format!("did you mean `{other}/{name}`?"))
        });
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let (low, high) = range(text, 255, "an ICMP type", Code::Policy)?;
        return Ok((low as u8, high as u8));
    }
    let mut names = ICMP_TYPES.iter().filter(|(_, v4, v6)| own(*v4, *v6).is_some()).map(|(name, _, _)| *name);
    let longer = names.clone().filter(|name| !text.is_empty() && name.starts_with(text));
    let longer: Vec<String> = longer.map(|name| format!("`{name}`")).collect();
    let help = match longer.is_empty() {
        true => suggest(text, &mut names),
        false => Some(format!("did you mean {}?", longer.join(" or "))),
    };
    Err(Flaw::new(text, Code::Policy, format!("unknown ICMP type `{text}`"))
        .maybe_help(help)
        .or_help("a type without a name here is written as its number"))
}

/// The text of a service as [`read`] takes it, in one spelling.
pub(crate) fn show(service: &Service) -> String {
    let Some(protocol) = service.protocol else { return "any".to_owned() };
    let mut text = proto::name(protocol).map_or_else(|| format!("proto/{protocol}"), str::to_owned);
    let span =
        |(low, high): (u16, u16)| if low == high { format!("/{low}") } else { format!("/{low}-{high}") };
    let small = |(low, high): (u8, u8)| span((u16::from(low), u16::from(high)));
    if proto::has_ports(protocol) && service.ports != Service::ANY.ports {
        text.push_str(&span(service.ports));
    }
    if matches!(protocol, proto::ICMP | proto::ICMPV6) {
        let (types, codes) = (service.icmp_types, service.icmp_codes);
        let has_code = codes != Service::ANY.icmp_codes;
        let named = ICMP_TYPES.iter().find(|(_, v4, v6)| {
            let own = if protocol == proto::ICMP { v4 } else { v6 };
            types.0 == types.1 && *own == Some(types.0)
        });
        match named {
            Some((name, _, _)) => text.push_str(&format!("/{name}")),
            None if types != Service::ANY.icmp_types || has_code => text.push_str(&small(types)),
            None => {}
        }
        if has_code {
            text.push_str(&small(codes));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;
    use proptest::prelude::*;

    fn service() -> impl Strategy<Value = Service> {
        let range = |low: u8, high: u8| (low.min(high), low.max(high));
        prop_oneof![
            Just(Service::ANY),
            any::<u8>().prop_map(Service::protocol),
            (prop::sample::select(vec![6, 17, 33, 132, 136]), any::<u16>(), any::<u16>())
                .prop_map(|(protocol, a, b)| Service::ports(protocol, a.min(b), a.max(b))),
            (prop::sample::select(vec![1, 58]), any::<(u8, u8)>(), any::<(u8, u8)>(), any::<bool>())
                .prop_map(move |(protocol, types, codes, narrow)| Service {
                    icmp_types: if narrow { (types.0, types.0) } else { range(types.0, types.1) },
                    icmp_codes: if narrow { range(codes.0, codes.1) } else { (0, u8::MAX) },
                    ..Service::protocol(protocol)
                }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_shown_is_read_as_the_same(service in service()) {
            let text = show(&service);
            prop_assert_eq!(read_word(&text).ok(), Some(service), "{}", text);
        }
    }

    #[test]
    fn one_service_or_several_in_a_description() {
        let read = |text: &str| {
            let mut diagnostics = Diagnostics::default();
            // The text begins at byte 100 of its source, behind a quote.
            let span = Span::new(SourceId(0), 100, 100 + text.len());
            let services = read(text, span, &mut diagnostics);
            let places = diagnostics.sorted().into_iter().filter_map(|d| d.span).map(|s| (s.start, s.end));
            (services, places.collect::<Vec<_>>())
        };
        let web = Service::ports(proto::TCP, 443, 443);
        let ping = Service::icmp(proto::ICMP, 8);
        assert_eq!(read("tcp/443"), (Some(vec![web]), Vec::new()));
        assert_eq!(read(" { tcp/443, icmp/echo-request } "), (Some(vec![web, ping]), Vec::new()));
        assert_eq!(read("tcp/443, tpc/80, udp/x"), (None, vec![(109, 112), (121, 122)]));
        assert_eq!(read("").0, None);
        assert_eq!(read("proto-6").0, Some(vec![Service::protocol(proto::TCP)]));
    }

    #[test]
    fn a_scalar_with_escapes_is_one_place() {
        let mut diagnostics = Diagnostics::default();
        let span = Span::new(SourceId(0), 10, 99);
        assert_eq!(read("tpc/80", span, &mut diagnostics), None);
        assert_eq!(diagnostics.sorted()[0].span, Some(span));
    }
}
