//! Values of options: addresses, masks, ports, lists.

use crate::header::{AddressRange, Family, address_from_number, address_number};
use ipnet::IpNet;
use std::net::IpAddr;

/// Addresses that a value names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Addresses {
    /// Exactly these.
    Ranges(Vec<AddressRange>),
    /// A name that the device resolved when the rule was loaded, or a mask with holes.
    Unclear,
}

/// `address`, `address/bits`, `address/mask`, or several of them with commas, all of one family.
pub(super) fn addresses(text: &str, family: Family) -> Result<Addresses, String> {
    let mut ranges = Vec::new();
    for part in text.split(',') {
        match address_block(part, family)? {
            Some(range) => ranges.push(range),
            None => return Ok(Addresses::Unclear),
        }
    }
    Ok(Addresses::Ranges(ranges))
}

fn address_block(text: &str, family: Family) -> Result<Option<AddressRange>, String> {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    let Some(address) = address_of(address, family)? else { return Ok(None) };
    let bits = match mask {
        None => Some(family.bits()),
        Some(mask) => mask_bits(mask, family)?,
    };
    // Host bits are cut off, as iptables does.
    let net = bits.and_then(|bits| IpNet::new(address, bits).ok());
    Ok(net.map(|net| AddressRange::prefix(net.trunc())))
}

/// An address; `None` for a host name.
pub(in crate::input::dump) fn address_of(text: &str, family: Family) -> Result<Option<IpAddr>, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if Family::of(address) == family => Ok(Some(address)),
        Ok(_) => Err(format!("`{text}` is not an {family} address")),
        Err(_) => {
            let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            let is_name = text.chars().all(word) && text.contains(|c: char| c.is_ascii_alphabetic());
            if is_name { Ok(None) } else { Err(format!("`{text}` is not an {family} address")) }
        }
    }
}

/// The length of a mask, written as a number or as an address; `None` for one with holes.
fn mask_bits(text: &str, family: Family) -> Result<Option<u8>, String> {
    if let Ok(bits) = text.parse::<u8>() {
        return match bits <= family.bits() {
            true => Ok(Some(bits)),
            false => Err(format!("a prefix length of {bits} is too long")),
        };
    }
    let mask = text.parse::<IpAddr>().ok().filter(|mask| Family::of(*mask) == family);
    let Some(mask) = mask else { return Err(format!("`{text}` is not a mask")) };
    let shift = 128 - u32::from(family.bits());
    let ones = (address_number(mask) << shift).leading_ones().min(u32::from(family.bits()));
    let full = u128::MAX.checked_shl(128 - ones).unwrap_or(0) >> shift;
    let solid = address_number(address_from_number(family, full)) == address_number(mask);
    Ok(if solid { u8::try_from(ones).ok() } else { None })
}

/// `low-high` or one address (`-m iprange`).
pub(super) fn address_range(text: &str, family: Family) -> Result<Addresses, String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (Some(low), Some(high)) = (address_of(low, family)?, address_of(high, family)?) else {
        return Ok(Addresses::Unclear);
    };
    if low > high {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok(Addresses::Ranges(vec![AddressRange { low, high }]))
}

/// Ports with commas, each one or `low:high`, whose ends may be left out. `None` if one is a name, which
/// `/etc/services` of the device gave a number.
pub(super) fn ports(text: &str) -> Result<Option<Vec<(u16, u16)>>, String> {
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        let is_name = |end: &str| end.contains(|c: char| c.is_ascii_alphabetic());
        if is_name(low) || is_name(high) {
            return Ok(None);
        }
        let end = |text: &str, open: u16| match text {
            "" if part.contains(':') => Ok(open),
            _ => text.parse().map_err(|_| format!("`{part}` is not a port or a range of ports")),
        };
        let (low, high) = (end(low, 0)?, end(high, u16::MAX)?);
        if low > high {
            return Err(format!("the range `{part}` ends before it begins"));
        }
        ranges.push((low, high));
    }
    Ok(Some(ranges))
}

/// A type of ICMP with the range of its codes.
pub(super) type TypeAndCodes = (u8, (u8, u8));

/// A type of ICMP, or a type and a code, as numbers. `None` for a name.
pub(super) fn icmp_numbers(text: &str) -> Result<Option<TypeAndCodes>, String> {
    if text.contains(|c: char| c.is_ascii_alphabetic()) {
        return Ok(None);
    }
    let number = |part: &str| part.parse::<u8>().map_err(|_| format!("`{text}` is not a type of ICMP"));
    match text.split_once('/') {
        Some((kind, code)) => {
            let code = number(code)?;
            Ok(Some((number(kind)?, (code, code))))
        }
        None => Ok(Some((number(text)?, (0, u8::MAX)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> (String, String) {
        let family = if text.contains(':') { Family::V6 } else { Family::V4 };
        match addresses(text, family).unwrap() {
            Addresses::Ranges(ranges) => (ranges[0].low.to_string(), ranges[0].high.to_string()),
            Addresses::Unclear => ("?".to_owned(), "?".to_owned()),
        }
    }

    #[test]
    fn masks_are_lengths_or_addresses() {
        let pair = |low: &str, high: &str| (low.to_owned(), high.to_owned());
        assert_eq!(range("10.1.2.3"), pair("10.1.2.3", "10.1.2.3"));
        assert_eq!(range("10.1.2.3/8"), pair("10.0.0.0", "10.255.255.255"));
        assert_eq!(range("10.1.2.3/255.255.254.0"), pair("10.1.2.0", "10.1.3.255"));
        assert_eq!(range("0.0.0.0/0.0.0.0"), pair("0.0.0.0", "255.255.255.255"));
        assert_eq!(range("10.1.2.3/255.255.255.255"), pair("10.1.2.3", "10.1.2.3"));
        assert_eq!(range("10.0.0.1/255.0.0.255"), pair("?", "?"));
        assert_eq!(
            range("2001:db8::1/ffff:ffff::"),
            pair("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
        );
        assert_eq!(range("::/0"), pair("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(range("db.example.org"), pair("?", "?"));
        for bad in ["10.0.0.0/33", "10.0.0", "1.2.3.4.5", "10.0.0.0/x", "", "10.0.0.0/8,", "::1"] {
            assert!(addresses(bad, Family::V4).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_may_be_open_ended() {
        assert_eq!(ports("22,80:90,1024:,:7").unwrap().unwrap(), [(22, 22), (80, 90), (1024, 65535), (0, 7)]);
        assert_eq!(ports("ssh"), Ok(None));
        for bad in ["90:80", "65536", "", "1,", "-1", "1:2:3"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn icmp_types_have_codes() {
        assert_eq!(icmp_numbers("3/4"), Ok(Some((3, (4, 4)))));
        assert_eq!(icmp_numbers("8"), Ok(Some((8, (0, 255)))));
        assert_eq!(icmp_numbers("ping"), Ok(None));
        assert!(icmp_numbers("256").is_err() && icmp_numbers("3/").is_err() && icmp_numbers("").is_err());
    }
}
