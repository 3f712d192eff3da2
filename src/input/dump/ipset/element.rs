//! The text of an element: addresses, protocols and ports with commas.

use super::kinds::Dimension;
use super::{Element, IpSet, Service};
use crate::header::{AddressRange, Family, address_from_number, address_number, proto};
use crate::input::dump::iptables::names;
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads an element of a set whose type is understood, or says what is wrong with it.
pub(super) fn read(set: &IpSet, text: &str) -> Result<Element, String> {
    let mut element = Element { first: None, service: None, second: None, nomatch: false, expires: false };
    let mut parts = text.split(',');
    for dimension in set.dimensions() {
        let Some(part) = parts.next() else {
            let kind = set.kind.map_or("", |kind| kind.name);
            return Err(format!("`{text}` has too few parts for an element of `{kind}`"));
        };
        match dimension {
            Dimension::Address | Dimension::Net => {
                let range = addresses(part, set.family.unwrap_or(Family::V4))?;
                let range = masked(range, set.netmask)?;
                let slot = if element.first.is_none() { &mut element.first } else { &mut element.second };
                *slot = Some(range);
                within(set, address_number(range.low), address_number(range.high), part)?;
            }
            Dimension::Port => element.service = Some(service(part, set.family)?),
            Dimension::BarePort => {
                let (low, high) = ports(part)?;
                within(set, low.into(), high.into(), part)?;
                element.service = Some(Service { protocol: None, low, high });
            }
            // Members are names, which the caller looks up.
            Dimension::Member => {}
        }
    }
    match parts.next() {
        Some(more) => Err(format!("`{more}` is more than such an element has")),
        None => Ok(element),
    }
}

fn within(set: &IpSet, low: u128, high: u128, text: &str) -> Result<(), String> {
    match set.limits {
        Some((first, last)) if low < first || last < high => {
            Err(format!("`{text}` lies outside of the range of its set"))
        }
        Some(_) | None => Ok(()),
    }
}

/// `address`, `address/bits` or `low-high`.
pub(super) fn addresses(text: &str, family: Family) -> Result<AddressRange, String> {
    let one = |text: &str| match text.parse::<IpAddr>() {
        Ok(address) if Family::of(address) == family => Ok(address),
        Ok(_) | Err(_) => Err(format!("`{text}` is not an {family} address")),
    };
    if let Some((address, bits)) = text.split_once('/') {
        let address = one(address)?;
        let bits = bits.parse::<u8>().ok().and_then(|bits| IpNet::new(address, bits).ok());
        let net = bits.ok_or_else(|| format!("`{text}` is not a prefix"))?;
        return Ok(AddressRange::prefix(net));
    }
    let (low, high) = match text.split_once('-') {
        Some((low, high)) => (one(low)?, one(high)?),
        None => {
            let address = one(text)?;
            (address, address)
        }
    };
    if low > high {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok(AddressRange { low, high })
}

/// The range widened to whole blocks of a netmask.
fn masked(range: AddressRange, bits: Option<u8>) -> Result<AddressRange, String> {
    let Some(bits) = bits else { return Ok(range) };
    let family = range.family();
    let host = family.bits().checked_sub(bits).ok_or_else(|| format!("/{bits} is no netmask of {family}"))?;
    let ones = 1u128.checked_shl(host.into()).map_or(u128::MAX, |block| block - 1);
    let low = address_from_number(family, address_number(range.low) & !ones);
    let high = address_from_number(family, address_number(range.high) | ones);
    Ok(AddressRange { low, high })
}

/// `80` or `80-90`.
pub(super) fn ports(text: &str) -> Result<(u16, u16), String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>();
    let (Ok(low), Ok(high)) = (number(low), number(high)) else {
        return Err(format!("`{text}` is not a port or a range of ports"));
    };
    match low <= high {
        true => Ok((low, high)),
        false => Err(format!("the range `{text}` ends before it begins")),
    }
}

/// `tcp:80`, `80`, `icmp:8/0`, `icmp:echo-request`, `gre:0`.
fn service(text: &str, family: Option<Family>) -> Result<Service, String> {
    let (protocol, port) = match text.split_once(':') {
        Some((name, port)) => {
            let number = names::protocol(name).filter(|number| *number != 0);
            (number.ok_or_else(|| format!("`{name}` is not a protocol"))?, port)
        }
        None => (proto::TCP, text),
    };
    let (low, high) = match protocol {
        proto::ICMP | proto::ICMPV6 => {
            let code =
                icmp(protocol, port).ok_or_else(|| format!("`{port}` is not a type and code of ICMP"))?;
            (code, code)
        }
        _ => ports(port)?,
    };
    if !has_ports(protocol) && (low, high) != (0, 0) {
        return Err(format!("`{text}`: this protocol has no ports here; only 0 can be an element"));
    }
    let other = match family {
        Some(Family::V4) => proto::ICMPV6,
        Some(Family::V6) => proto::ICMP,
        None => 0,
    };
    match protocol == other {
        true => Err(format!("`{text}` is of the other family than its set")),
        false => Ok(Service { protocol: Some(protocol), low, high }),
    }
}

/// Whether the kernel looks for ports, or for type and code, of a protocol (`ip_set_getport.c`).
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, proto::TCP | proto::UDP | proto::UDPLITE | proto::SCTP | proto::ICMP | proto::ICMPV6)
}

/// Names of iptables that ipset does not have, since they leave the code open.
const NO_CODE: &[&str] = &["destination-unreachable", "time-exceeded", "ttl-exceeded", "parameter-problem"];

/// Type and code of ICMP as one number.
fn icmp(protocol: u8, text: &str) -> Option<u16> {
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind.parse::<u8>().ok()?, code.parse::<u8>().ok()?),
        None => {
            let table = if protocol == proto::ICMP { names::ICMP_V4 } else { names::ICMP_V6 };
            let is_open =
                |name: &str| NO_CODE.contains(&name) || (protocol == proto::ICMP && name == "redirect");
            let is_it = |name: &str| name.eq_ignore_ascii_case(text) && !is_open(name);
            let row = table.iter().find(|(names, _, _)| names.iter().any(|name| is_it(name)))?;
            (row.1, row.2.0)
        }
    };
    Some(u16::from_be_bytes([kind, code]))
}
