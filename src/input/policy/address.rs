//! Addresses, prefixes and ranges of a policy, read from one word.

use super::ast::TermKind;
use crate::diag::Code;
use crate::header::{AddressRange, Family};
use crate::input::word::{Flaw, number};
use ipnet::IpNet;
use nom::IResult;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{map, rest};
use nom::sequence::{pair, preceded};
use std::net::IpAddr;

/// Whether a word can only be meant as an address: a digit first, or the shape of IPv6.
pub(super) fn looks_like_address(word: &str) -> bool {
    let body = word.split(['/', '-']).next().unwrap_or("");
    word.starts_with(|c: char| c.is_ascii_digit())
        || (body.contains(':') && body.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.'))
}

/// What stands behind the first address of a word.
enum Tail<'a> {
    /// `/LENGTH`.
    Length(&'a str),
    /// `-HIGH`.
    High(&'a str),
    /// Nothing.
    Nothing,
}

/// Cuts `ADDRESS`, `ADDRESS/LENGTH` and `LOW-HIGH` into their parts.
fn parts(word: &str) -> IResult<&str, (&str, Tail<'_>)> {
    pair(
        take_while1(|c| c != '/' && c != '-'),
        alt((
            map(preceded(char('/'), rest), Tail::Length),
            map(preceded(char('-'), rest), Tail::High),
            map(rest, |_| Tail::Nothing),
        )),
    )
    .parse(word)
}

/// Reads a word that looks like an address.
pub(super) fn read_word<'a>(word: &'a str) -> Result<TermKind<'a>, Flaw<'a>> {
    let Ok((_, (first, tail))) = parts(word) else {
        return Err(not_an_address(word));
    };
    let address = read_address(first)?;
    match tail {
        Tail::Nothing => Ok(TermKind::Address(address)),
        Tail::Length(length) => read_prefix(word, address, length).map(TermKind::Prefix),
        Tail::High(high) => read_range(word, address, read_address(high)?).map(TermKind::Range),
    }
}

/// Reads one address.
pub(super) fn read_address(word: &str) -> Result<IpAddr, Flaw<'_>> {
    word.parse().map_err(|_| not_an_address(word))
}

fn not_an_address(word: &str) -> Flaw<'_> {
    let flaw = Flaw::new(word, Code::Address, format!("`{word}` is not an address"));
    let octets: Vec<&str> = word.split('.').collect();
    let numeric = |octet: &&str| !octet.is_empty() && octet.bytes().all(|b| b.is_ascii_digit());
    if let Some(large) = octets.iter().find(|o| numeric(o) && o.parse::<u8>().is_err()) {
        return flaw.help(format!("`{large}` is more than 255"));
    }
    if octets.len() == 4 && octets.iter().all(numeric) {
        return flaw.help("octets are decimal, without leading zeros");
    }
    if octets.len() < 4 && octets.iter().all(numeric) {
        return flaw.help("an IPv4 address has four octets, such as 10.1.0.20");
    }
    flaw.help("such as 10.1.0.20, 10.1.0.0/24, 10.1.0.10-10.1.0.99 or 2001:db8::/32")
}

fn read_prefix<'a>(word: &'a str, address: IpAddr, length: &'a str) -> Result<IpNet, Flaw<'a>> {
    if length.contains('.') {
        let flaw =
            Flaw::new(length, Code::Address, format!("`{length}` is a mask, not the length of a prefix"));
        return Err(flaw.maybe_help(length_of_mask(length).map(|bits| format!("write `{address}/{bits}`"))));
    }
    let most = Family::of(address).bits();
    let bits = number(length, u32::from(most), "the length of a prefix", Code::Address)? as u8;
    let Ok(net) = IpNet::new(address, bits) else { return Err(not_an_address(word)) };
    if net.network() != address {
        let message = format!("`{word}` has host bits: it is an address inside of a prefix");
        let help = format!("write `{}` for the prefix, or `{address}` for the address", net.trunc());
        return Err(Flaw::new(word, Code::Address, message).help(help));
    }
    Ok(net)
}

/// The length that a netmask (`255.255.255.0`) or a wildcard mask (`0.0.0.255`) stands for.
fn length_of_mask(mask: &str) -> Option<u32> {
    let mask = u32::from(mask.parse::<std::net::Ipv4Addr>().ok()?);
    [mask, !mask]
        .into_iter()
        .find(|m| m.leading_ones() + m.trailing_zeros() == 32 || *m == 0)
        .map(u32::leading_ones)
}

/// The range between two addresses.
pub(super) fn read_range<'a>(word: &'a str, low: IpAddr, high: IpAddr) -> Result<AddressRange, Flaw<'a>> {
    if Family::of(low) != Family::of(high) {
        let message = format!("`{word}` begins with {} and ends with {}", Family::of(low), Family::of(high));
        return Err(Flaw::new(word, Code::Address, message).help("both ends are of one family"));
    }
    if low > high {
        let message = format!("the range `{word}` is empty: it ends before it begins");
        return Err(Flaw::new(word, Code::Address, message).help(format!("write `{high}-{low}`")));
    }
    Ok(AddressRange { low, high })
}
