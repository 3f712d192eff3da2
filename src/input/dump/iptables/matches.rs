//! The matches of iptables extensions that are understood (iptables-extensions(8)). All others, and all other
//! options of these, are not understood: they may match.

use super::addrtype;
use super::condition::{Condition, other_bytes, other_ports};
use super::known::{self, Ports, Reading, WITH_PORTS};
use super::marks;
use super::names;
use super::rule::{Opening, Outcome, RuleReader, error, plain};
use super::set::{self, OpenSet};
use super::values;
use crate::header::{Family, proto, tcp_flags};
use crate::model::translation::End;
use crate::model::{Marked, Service, State, Test};
use crate::source::Spanned;

/// Begins a match; whether it is understood.
pub(super) fn module(reader: &mut RuleReader<'_, '_, '_>, name: Spanned<&str>, opening: Opening) -> bool {
    let Some(extension) = known::extension(name.value) else { return false };
    reader.context.tracks |= extension.tracks;
    if !extension.is_read {
        return false;
    }
    let mut condition = Condition::always();
    if !extension.needs.is_empty() {
        // Even without options the kernel looks for the header, which a later fragment does not have.
        condition = condition.inside();
        reader.need(opening.span, extension.needs);
    }
    reader.push(condition, opening.span);
    match name.value {
        "mark" => reader.marked = Some(Marked::Packet),
        "connmark" => reader.marked = Some(Marked::Connection),
        _ => {}
    }
    if extension.options.iter().any(|(_, reading)| *reading == Reading::Set) {
        reader.set = Some(OpenSet::begin(opening.span));
    }
    true
}

/// Reads an option of a match that is understood; `false` if it is none.
pub(super) fn option(reader: &mut RuleReader<'_, '_, '_>, name: &str, opening: Opening) -> Outcome<bool> {
    let Some(reading) = known::reading(name) else { return Ok(false) };
    let mut opening = opening;
    match reading {
        Reading::Port(ports) => port(reader, opening, ports)?,
        Reading::Syn => {
            let mask = tcp_flags::FIN | tcp_flags::SYN | tcp_flags::RST | tcp_flags::ACK;
            flags(reader, mask, tcp_flags::SYN, opening);
        }
        Reading::TcpFlags => {
            let mask = flag_list(reader.value(&mut opening)?)?;
            let value = flag_list(reader.value(&mut opening)?)?;
            flags(reader, mask, value, opening);
        }
        Reading::IcmpType => icmp(reader, opening)?,
        Reading::SourceRange => range(reader, opening, Test::Source)?,
        Reading::DestinationRange => range(reader, opening, Test::Destination)?,
        Reading::State => state(reader, opening)?,
        Reading::SourceType => addrtype::option(reader, true, opening)?,
        Reading::DestinationType => addrtype::option(reader, false, opening)?,
        Reading::OwnInterface => reader.limit_to_interface(opening),
        Reading::Comment => {
            reader.value(&mut opening)?;
            reader.context.claim(opening.span);
        }
        Reading::Mark => match reader.marked {
            Some(of) => marks::option(reader, of, opening)?,
            None => return Ok(false),
        },
        Reading::Set => set::option(reader, name, opening)?,
        // It counts within its own match.
        Reading::Open if known::SET_COUNTERS.contains(&name) => set::option(reader, name, opening)?,
        Reading::Open => return Ok(false),
    }
    Ok(true)
}

fn port(reader: &mut RuleReader<'_, '_, '_>, mut opening: Opening, side: Ports) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let span = opening.span;
    reader.need(span, WITH_PORTS);
    let Some(ports) = values::ports(text.value).map_err(|message| error(text.span, message))? else {
        let condition = reader.context.not_understood(span).inside();
        reader.push(condition, span);
        return Ok(());
    };
    // Written as what it says of packets that have ports, so that no negation is left.
    let ports = if opening.negated { other_ports(&ports) } else { ports };
    let condition = match side {
        Ports::Source => Condition::test(Test::SourcePort(ports), false, span),
        Ports::Destination => Condition::test(Test::DestinationPort(ports), false, span),
        Ports::Either if opening.negated => {
            let (source, destination) = (Test::SourcePort(ports.clone()), Test::DestinationPort(ports));
            Condition::all(vec![plain(source, span), plain(destination, span)])
        }
        Ports::Either => Condition::test(Test::EitherPort(ports), false, span),
    };
    reader.push(condition.inside(), span);
    Ok(())
}

fn flags(reader: &mut RuleReader<'_, '_, '_>, mask: u8, value: u8, opening: Opening) {
    reader.need(opening.span, &[proto::TCP]);
    let condition = Condition::test(Test::TcpFlags { mask, value }, opening.negated, opening.span);
    reader.push(condition.inside(), opening.span);
}

/// `SYN,ACK`, `ALL` or `NONE`. `ALL` are the six flags of RFC 793: iptables does not see the others.
fn flag_list(text: Spanned<&str>) -> Outcome<u8> {
    let mut bits = 0;
    for word in text.value.split(',') {
        let known = tcp_flags::NAMES.iter().find(|(bit, name)| {
            word.eq_ignore_ascii_case(name) && !matches!(*bit, tcp_flags::ECE | tcp_flags::CWR)
        });
        bits |= match known {
            Some((bit, _)) => *bit,
            None if word.eq_ignore_ascii_case("ALL") => 0x3f,
            None if word.eq_ignore_ascii_case("NONE") => 0,
            None => return Err(error(text.span, format!("`{word}` is not a flag of TCP"))),
        };
    }
    Ok(bits)
}

fn icmp(reader: &mut RuleReader<'_, '_, '_>, mut opening: Opening) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let span = opening.span;
    let (number, table, needs): (u8, _, &'static [u8]) = match reader.context.family {
        Family::V4 => (proto::ICMP, names::ICMP_V4, &[proto::ICMP]),
        Family::V6 => (proto::ICMPV6, names::ICMP_V6, &[proto::ICMPV6]),
    };
    reader.need(span, needs);
    let numbers = values::icmp_numbers(text.value).map_err(|message| error(text.span, message))?;
    let named = || {
        let row =
            table.iter().find(|(names, _, _)| names.iter().any(|name| text.value.eq_ignore_ascii_case(name)));
        row.map(|(_, kind, codes)| (*kind, *codes))
    };
    // The kernel reads type 255 of ICMP for IPv4 as any type.
    let any = reader.context.family == Family::V4
        && (text.value.eq_ignore_ascii_case("any") || numbers.is_some_and(|(kind, _)| kind == u8::MAX));
    let condition = match numbers.or_else(named) {
        _ if any && opening.negated => Condition::never(),
        _ if any => Condition::always(),
        Some((kind, codes)) if opening.negated => {
            Condition::test(Test::Service(other_icmp(number, kind, codes)), false, span)
        }
        Some((kind, codes)) => {
            let one = Service { icmp_codes: codes, ..Service::icmp(number, kind) };
            Condition::test(Test::Service(vec![one]), false, span)
        }
        None => reader.context.not_understood(span),
    };
    reader.push(condition.inside(), span);
    Ok(())
}

/// Every packet of an ICMP that is not of this type with one of these codes.
fn other_icmp(number: u8, kind: u8, codes: (u8, u8)) -> Vec<Service> {
    let whole = Service::protocol(number);
    let types = other_bytes(&[(kind, kind)]).into_iter().map(|types| Service { icmp_types: types, ..whole });
    let same = Service { icmp_types: (kind, kind), ..whole };
    let codes = other_bytes(&[codes]).into_iter().map(|codes| Service { icmp_codes: codes, ..same });
    types.chain(codes).collect()
}

fn range(
    reader: &mut RuleReader<'_, '_, '_>,
    mut opening: Opening,
    test: fn(Vec<crate::header::AddressRange>) -> Test,
) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let parsed = values::address_range(text.value, reader.context.family);
    let parsed = parsed.map_err(|message| error(text.span, message))?;
    reader.push_addresses(parsed, test, opening);
    Ok(())
}

fn state(reader: &mut RuleReader<'_, '_, '_>, mut opening: Opening) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let span = opening.span;
    reader.context.tracks = true;
    let mut states = Vec::new();
    let mut translated = Vec::new();
    for word in text.value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "NEW" => states.push(State::New),
            "ESTABLISHED" => states.push(State::Established),
            "RELATED" => states.push(State::Related),
            "INVALID" => states.push(State::Invalid),
            "UNTRACKED" => states.push(State::Untracked),
            "SNAT" => translated.push(End::Source),
            "DNAT" => translated.push(End::Destination),
            _ => {
                let condition = reader.context.not_understood(span);
                reader.push(condition, span);
                return Ok(());
            }
        }
    }
    states.sort_unstable();
    states.dedup();
    // Of these any is enough.
    let own = (!states.is_empty()).then(|| plain(Test::State(states), span));
    let foreign = translated.into_iter().map(|end| plain(Test::Translated(end), span));
    let condition = Condition::any(own.into_iter().chain(foreign).collect(), opening.negated, span);
    reader.push(condition, span);
    Ok(())
}
