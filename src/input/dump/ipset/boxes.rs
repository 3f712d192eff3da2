//! From elements to as few boxes as are easy to find: addresses × protocol and ports × addresses.
//!
//! A million elements become sorted ranges that touch nowhere. Where an exception (`nomatch`) lies within a wider
//! element, the longest prefix decides, as in the kernel, which looks for the longest prefixes first.

use super::kinds::Dimension;
use super::{Element, IpSet, Service};
use crate::header::{AddressRange, Family, address_from_number, address_number};
use ipnet::{Ipv4Subnets, Ipv6Subnets};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Both ends of a range of ports.
type PortRange = (u16, u16);

/// Both ends of a range of addresses, which have an order.
type Ends = (IpAddr, IpAddr);

/// What boxes that differ only in ports have in common: protocol, other address, merged addresses.
type SamePorts = (Option<Option<u8>>, Option<Ends>, Option<Vec<Ends>>);

/// What boxes that differ only in the other address have in common: protocol, ports, merged addresses.
type SameAddresses = (Option<Option<u8>>, Vec<PortRange>, Option<Vec<Ends>>);

/// Packets that some elements stand for: those in all three parts. What a type does not have is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) first: Option<Vec<AddressRange>>,
    pub(super) ports: Option<(Option<u8>, Vec<PortRange>)>,
    pub(super) second: Option<Vec<AddressRange>>,
}

/// How many boxes one set may become. A set that needs more is not understood within its addresses.
pub(super) const BLOCKS_MAX: usize = 4096;

/// How many combinations of ports with the other address may be looked at to find them.
const GROUPS_MAX: usize = 1 << 18;

/// The boxes of those elements that match, or of those that are exceptions. `None` if they are too many, or if which
/// of several elements decides is not a matter of one prefix.
pub(super) fn blocks(set: &IpSet, elements: &[Element], exceptions: bool) -> Option<Vec<Block>> {
    let has_exceptions = elements.iter().any(|element| element.nomatch);
    if !has_exceptions && exceptions {
        return Some(Vec::new());
    }
    let dimensions = set.dimensions();
    let nets = dimensions.iter().filter(|one| **one == Dimension::Net).count();
    if has_exceptions && nets > 1 {
        return None;
    }
    // The part in which prefixes are merged: the one that exceptions narrow, or the first.
    let second_is_net = has_exceptions && dimensions.first() != Some(&Dimension::Net);
    let groups = Grouping { second_is_net, has_exceptions, exceptions }.groups(elements)?;
    let made = merged(groups, second_is_net);
    (made.len() <= BLOCKS_MAX).then_some(made)
}

/// All that the first addresses of a set name.
pub(super) fn hull(elements: &[Element]) -> Vec<AddressRange> {
    merge(elements.iter().filter(|element| !element.nomatch).filter_map(|element| element.first).collect())
}

struct Grouping {
    second_is_net: bool,
    has_exceptions: bool,
    exceptions: bool,
}

/// Ports and the address that is not merged.
type Key = (Option<Service>, Option<AddressRange>);

impl Grouping {
    /// The merged addresses of each key; empty ones are left out. `None` for too many keys.
    fn groups(&self, elements: &[Element]) -> Option<Vec<(Key, Option<Vec<AddressRange>>)>> {
        let mut entries = self.entries(elements)?;
        entries.sort_unstable_by_key(|(key, _, _)| order(key));
        let mut groups = Vec::new();
        for group in entries.chunk_by(|a, b| a.0 == b.0) {
            if groups.len() >= GROUPS_MAX {
                return None;
            }
            let Some((key, _, _)) = group.first() else { continue };
            let ranges = group.iter().filter_map(|(_, range, nomatch)| Some(((*range)?, *nomatch)));
            let ranges: Vec<(AddressRange, bool)> = ranges.collect();
            if ranges.is_empty() {
                groups.push((*key, None));
                continue;
            }
            let ranges = match self.has_exceptions {
                false => merge(ranges.into_iter().map(|(range, _)| range).collect()),
                true => longest(&ranges, self.exceptions)?,
            };
            if !ranges.is_empty() {
                groups.push((*key, Some(ranges)));
            }
        }
        Some(groups)
    }

    /// Each element with its key. Where exceptions are, keys that overlap are cut, so that each element meets those
    /// that it competes with under the same key.
    fn entries(&self, elements: &[Element]) -> Option<Vec<(Key, Option<AddressRange>, bool)>> {
        let cuts = if self.has_exceptions { cuts(elements) } else { BTreeMap::new() };
        let mut entries = Vec::with_capacity(elements.len());
        for element in elements {
            let (merged, other) = match self.second_is_net {
                true => (element.second, element.first),
                false => (element.first, element.second),
            };
            if self.has_exceptions && other.is_some_and(|other| other.low != other.high) {
                return None;
            }
            match element.service.filter(|_| self.has_exceptions) {
                None => entries.push(((element.service, other), merged, element.nomatch)),
                Some(service) => {
                    let cuts = cuts.get(&service.protocol).map_or(&[][..], Vec::as_slice);
                    for part in parts(service, cuts) {
                        entries.push(((Some(part), other), merged, element.nomatch));
                    }
                }
            }
            if entries.len() > elements.len() + GROUPS_MAX {
                return None;
            }
        }
        Some(entries)
    }
}

/// An order of keys in which equal ones stand together.
fn order(key: &Key) -> (Option<Service>, Option<(IpAddr, IpAddr)>) {
    (key.0, key.1.map(|range| (range.low, range.high)))
}

/// Where the ranges of ports of each protocol begin, in order.
fn cuts(elements: &[Element]) -> BTreeMap<Option<u8>, Vec<u16>> {
    let mut cuts: BTreeMap<Option<u8>, Vec<u16>> = BTreeMap::new();
    for service in elements.iter().filter_map(|element| element.service) {
        let list = cuts.entry(service.protocol).or_default();
        list.push(service.low);
        list.extend(service.high.checked_add(1));
    }
    for list in cuts.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    cuts
}

/// A range of ports in the parts that the cuts leave.
fn parts(service: Service, cuts: &[u16]) -> impl Iterator<Item = Service> {
    let from = cuts.partition_point(|cut| *cut < service.low);
    let to = cuts.partition_point(|cut| *cut <= service.high);
    (from..to).map(move |index| {
        let next = cuts.get(index + 1).map_or(service.high, |next| (next - 1).min(service.high));
        Service { low: cuts[index], high: next, ..service }
    })
}

/// Boxes from groups: those that differ only in ports, then those that differ only in the other address, become one.
fn merged(groups: Vec<(Key, Option<Vec<AddressRange>>)>, second_is_net: bool) -> Vec<Block> {
    let plain = |ranges: &[AddressRange]| ranges.iter().map(|one| (one.low, one.high)).collect::<Vec<Ends>>();
    let back = |ranges: Vec<Ends>| ranges.into_iter().map(|(low, high)| AddressRange { low, high }).collect();
    let mut by_port: BTreeMap<SamePorts, Vec<PortRange>> = BTreeMap::new();
    for ((service, other), ranges) in groups {
        let ranges = ranges.map(|ranges| plain(&ranges));
        let key = (service.map(|one| one.protocol), other.map(|one| (one.low, one.high)), ranges);
        by_port.entry(key).or_default().extend(service.map(|one| (one.low, one.high)));
    }
    let mut by_other: BTreeMap<SameAddresses, Vec<Ends>> = BTreeMap::new();
    for ((protocol, other, ranges), ports) in by_port {
        by_other.entry((protocol, touching(ports), ranges)).or_default().extend(other);
    }
    let blocks = by_other.into_iter().map(|((protocol, ports, ranges), others)| {
        let others = (!others.is_empty()).then(|| merge(back(others)));
        let ranges = ranges.map(back);
        let (first, second) = if second_is_net { (others, ranges) } else { (ranges, others) };
        Block { first, ports: protocol.map(|protocol| (protocol, ports)), second }
    });
    blocks.collect()
}

/// Ranges of ports as few that touch nowhere.
fn touching(mut ports: Vec<PortRange>) -> Vec<PortRange> {
    ports.sort_unstable();
    let mut merged: Vec<PortRange> = Vec::new();
    for (low, high) in ports {
        match merged.last_mut() {
            Some(last) if u32::from(low) <= u32::from(last.1) + 1 => last.1 = last.1.max(high),
            Some(_) | None => merged.push((low, high)),
        }
    }
    merged
}

/// Ranges of addresses as few that touch nowhere, in order.
pub(super) fn merge(mut ranges: Vec<AddressRange>) -> Vec<AddressRange> {
    ranges.sort_unstable_by_key(|range| (range.low, range.high));
    let mut merged: Vec<AddressRange> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if touches(last, &range) => last.high = last.high.max(range.high),
            Some(_) | None => merged.push(range),
        }
    }
    merged.shrink_to_fit();
    merged
}

/// Whether a range begins within another, or right behind it.
fn touches(before: &AddressRange, range: &AddressRange) -> bool {
    let end = address_number(before.high);
    before.family() == range.family() && address_number(range.low) <= end.saturating_add(1)
}

/// The addresses for which the longest prefix is an element that matches, or is an exception. `None` if the same
/// prefix is both.
fn longest(elements: &[(AddressRange, bool)], exceptions: bool) -> Option<Vec<AddressRange>> {
    let mut prefixes: Vec<(u128, u128, bool)> = Vec::new();
    let mut family = Family::V4;
    for (range, nomatch) in elements {
        family = range.family();
        // A range stands for the prefixes that the kernel makes of it.
        match (range.low, range.high) {
            (IpAddr::V4(low), IpAddr::V4(high)) => prefixes.extend(
                Ipv4Subnets::new(low, high, 0)
                    .map(|net| (number(net.network()), number(net.broadcast()), *nomatch)),
            ),
            (IpAddr::V6(low), IpAddr::V6(high)) => prefixes.extend(
                Ipv6Subnets::new(low, high, 0)
                    .map(|net| (number(net.network()), number(net.broadcast()), *nomatch)),
            ),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        }
    }
    // Wider prefixes stand before those within them.
    prefixes.sort_unstable_by_key(|(low, high, nomatch)| (*low, u128::MAX - *high, *nomatch));
    prefixes.dedup();
    if prefixes.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1) {
        return None;
    }
    let mut sweep = Sweep { open: Vec::new(), next: 0, found: Vec::new(), family, exceptions };
    for (low, high, nomatch) in prefixes {
        sweep.close_before(low);
        sweep.take_to(low.checked_sub(1));
        sweep.next = low;
        sweep.open.push((high, nomatch));
    }
    sweep.close_all();
    Some(merge(sweep.found))
}

fn number(address: impl Into<IpAddr>) -> u128 {
    address_number(address.into())
}

/// A walk over the numbers of addresses; the innermost open prefix decides.
struct Sweep {
    /// The ends of the prefixes that are open, the innermost last, and whether they are exceptions.
    open: Vec<(u128, bool)>,
    /// The first number that is not yet decided.
    next: u128,
    found: Vec<AddressRange>,
    family: Family,
    exceptions: bool,
}

impl Sweep {
    /// Decides everything up to a number, by the innermost prefix.
    fn take_to(&mut self, end: Option<u128>) {
        let (Some(end), Some((_, nomatch))) = (end, self.open.last()) else { return };
        if *nomatch == self.exceptions && self.next <= end {
            let address = |number| address_from_number(self.family, number);
            self.found.push(AddressRange { low: address(self.next), high: address(end) });
        }
    }

    /// Closes the prefixes that end before a number.
    fn close_before(&mut self, low: u128) {
        while let Some((high, _)) = self.open.last().copied().filter(|(high, _)| *high < low) {
            self.take_to(Some(high));
            self.open.pop();
            self.next = self.next.max(high.saturating_add(1));
        }
    }

    fn close_all(&mut self) {
        while let Some((high, _)) = self.open.last().copied() {
            if self.next <= high {
                self.take_to(Some(high));
            }
            self.open.pop();
            match high.checked_add(1) {
                Some(after) => self.next = self.next.max(after),
                None => return self.open.clear(),
            }
        }
    }
}
