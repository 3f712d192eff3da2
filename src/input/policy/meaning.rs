//! What a term means: a union of address ranges, zones, services, interfaces, and negations of such.
//!
//! Terms are brought to one shape, in which equal parts are written once and neighbouring ranges are joined, so
//! that a definition used many times costs what it means and not what it says.

use crate::header::{AddressRange, address_from_number, address_number};
use crate::model::{Match, Service, Test, UnknownId, ZoneId};
use crate::source::Span;

/// What a term means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Everything.
    All,
    /// Nothing: the negation of everything.
    Nothing,
    /// The device itself.
    Own,
    /// These addresses, in order and without overlap.
    Ranges(Vec<AddressRange>),
    /// The interfaces of a zone.
    Zone(ZoneId),
    /// These services, in order.
    Services(Vec<Service>),
    /// An interface by name.
    Interface(String),
    /// Nobody knows what.
    Unknown(UnknownId),
    /// Any of these; none of them is such a union itself.
    Any(Vec<Meaning>),
    /// None of this; it is no negation itself.
    Not(Box<Meaning>),
}

/// Which tests a meaning becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Source, in-interface.
    From,
    /// Destination, out-interface.
    To,
}

impl Meaning {
    /// The union of several.
    pub(super) fn any(parts: impl IntoIterator<Item = Meaning>) -> Meaning {
        let (mut ranges, mut services, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut pending: Vec<Meaning> = parts.into_iter().collect();
        pending.reverse();
        while let Some(part) = pending.pop() {
            match part {
                Meaning::All => return Meaning::All,
                Meaning::Nothing => {}
                Meaning::Any(inner) => pending.extend(inner.into_iter().rev()),
                Meaning::Ranges(inner) => ranges.extend(inner),
                Meaning::Services(inner) => services.extend(inner),
                Meaning::Own
                | Meaning::Zone(_)
                | Meaning::Interface(_)
                | Meaning::Unknown(_)
                | Meaning::Not(_) => {
                    if !others.contains(&part) {
                        others.push(part);
                    }
                }
            }
        }
        if !services.is_empty() {
            services.sort();
            services.dedup();
            others.insert(0, Meaning::Services(services));
        }
        if !ranges.is_empty() {
            others.insert(0, Meaning::Ranges(joined(ranges)));
        }
        match others.len() {
            0 => Meaning::Nothing,
            1 => others.remove(0),
            _ => Meaning::Any(others),
        }
    }

    /// The negation.
    pub(super) fn not(self) -> Meaning {
        match self {
            Meaning::All => Meaning::Nothing,
            Meaning::Nothing => Meaning::All,
            Meaning::Not(inner) => *inner,
            Meaning::Own
            | Meaning::Ranges(_)
            | Meaning::Zone(_)
            | Meaning::Services(_)
            | Meaning::Interface(_)
            | Meaning::Unknown(_)
            | Meaning::Any(_) => Meaning::Not(Box::new(self)),
        }
    }

    /// The same where it is settled whether the device itself is meant.
    pub(super) fn settled(&self, own: bool) -> Meaning {
        match self {
            Meaning::Own if own => Meaning::All,
            Meaning::Own => Meaning::Nothing,
            Meaning::Any(parts) => Meaning::any(parts.iter().map(|part| part.settled(own))),
            Meaning::Not(inner) => inner.settled(own).not(),
            Meaning::All
            | Meaning::Nothing
            | Meaning::Ranges(_)
            | Meaning::Zone(_)
            | Meaning::Services(_)
            | Meaning::Interface(_)
            | Meaning::Unknown(_) => self.clone(),
        }
    }

    /// Whether it asks where packets come in or go out.
    pub(super) fn asks_for_interfaces(&self) -> bool {
        match self {
            Meaning::Zone(_) | Meaning::Interface(_) => true,
            Meaning::Any(parts) => parts.iter().any(Meaning::asks_for_interfaces),
            Meaning::Not(inner) => inner.asks_for_interfaces(),
            Meaning::All
            | Meaning::Nothing
            | Meaning::Own
            | Meaning::Ranges(_)
            | Meaning::Services(_)
            | Meaning::Unknown(_) => false,
        }
    }

    /// How many parts it has.
    pub(super) fn size(&self) -> usize {
        match self {
            Meaning::All
            | Meaning::Nothing
            | Meaning::Own
            | Meaning::Zone(_)
            | Meaning::Interface(_)
            | Meaning::Unknown(_) => 1,
            Meaning::Ranges(ranges) => ranges.len(),
            Meaning::Services(services) => services.len(),
            Meaning::Any(parts) => parts.iter().map(Meaning::size).sum(),
            Meaning::Not(inner) => inner.size(),
        }
    }

    /// How deep it is nested.
    pub(super) fn depth(&self) -> usize {
        match self {
            Meaning::Any(parts) => 1 + parts.iter().map(Meaning::depth).max().unwrap_or(0),
            Meaning::Not(inner) => 1 + inner.depth(),
            Meaning::All
            | Meaning::Nothing
            | Meaning::Own
            | Meaning::Ranges(_)
            | Meaning::Zone(_)
            | Meaning::Services(_)
            | Meaning::Interface(_)
            | Meaning::Unknown(_) => 0,
        }
    }

    /// The conditions of a rule that has this meaning in one direction. [`Meaning::Nothing`] and
    /// [`Meaning::Own`] have none: they are settled before.
    pub(super) fn matches(self, direction: Direction, span: Span, into: &mut Vec<Match>) {
        match self {
            Meaning::All => {}
            Meaning::Not(inner) => match *inner {
                // None of several is one condition for each: shorter to read in a report.
                Meaning::Any(parts) => {
                    into.extend(parts.into_iter().map(|part| part.not().one(direction, span)));
                }
                inner => into.push(Match { negated: true, ..inner.one(direction, span) }),
            },
            other => into.push(other.one(direction, span)),
        }
    }

    /// One condition.
    fn one(self, direction: Direction, span: Span) -> Match {
        let negated = matches!(self, Meaning::Not(_) | Meaning::All);
        let inner = match self {
            Meaning::Not(inner) => *inner,
            other => other,
        };
        let test = match (inner, direction) {
            (Meaning::Ranges(ranges), Direction::From) => Test::Source(ranges),
            (Meaning::Ranges(ranges), Direction::To) => Test::Destination(ranges),
            (Meaning::Zone(zone), Direction::From) => Test::InZone(zone),
            (Meaning::Zone(zone), Direction::To) => Test::OutZone(zone),
            (Meaning::Interface(name), Direction::From) => Test::InName(name),
            (Meaning::Interface(name), Direction::To) => Test::OutName(name),
            (Meaning::Unknown(unknown), _) => Test::Unknown(unknown),
            (Meaning::Services(services), _) => Test::Service(services),
            (Meaning::Own, Direction::From) => Test::SourceIsOwn,
            (Meaning::Own, Direction::To) => Test::DestinationIsOwn,
            (Meaning::Any(parts), _) => {
                Test::Any(parts.into_iter().map(|part| part.one(direction, span)).collect())
            }
            (Meaning::Not(inner), _) => Test::Any(vec![inner.not().one(direction, span)]),
            // Any of no conditions is nothing, and its negation everything.
            (Meaning::All | Meaning::Nothing, _) => Test::Any(Vec::new()),
        };
        Match { test, negated, span }
    }
}

/// The same addresses as ranges in order, without overlap, and with no two that touch.
fn joined(mut ranges: Vec<AddressRange>) -> Vec<AddressRange> {
    ranges.sort_by_key(|range| (range.family(), range.low, range.high));
    let mut result: Vec<AddressRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match result.last_mut() {
            Some(last) if last.family() == range.family() && touches(last, &range) => {
                last.high = last.high.max(range.high);
            }
            Some(_) | None => result.push(range),
        }
    }
    result
}

/// Whether a range begins in another one, or right behind it.
fn touches(before: &AddressRange, range: &AddressRange) -> bool {
    let behind = address_number(before.high).saturating_add(1);
    // The address behind the last one of a family is not of that family: it is cut off to zero.
    range.low <= before.high || address_from_number(before.family(), behind) == range.low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        AddressRange::prefix(text.parse().unwrap())
    }

    #[test]
    fn ranges_that_touch_are_joined_within_their_family() {
        let all = ["10.0.1.0/24", "10.0.0.0/24", "10.0.0.7/32", "255.255.255.255/32", "::/1", "8000::/1"];
        let parts = all.map(|text| Meaning::Ranges(vec![range(text)]));
        let expected = ["10.0.0.0/23", "255.255.255.255/32", "::/0"].map(range).to_vec();
        assert_eq!(Meaning::any(parts), Meaning::Ranges(expected));
    }

    #[test]
    fn unions_and_negations_are_simplified() {
        let zone = Meaning::Zone(ZoneId(1));
        assert_eq!(Meaning::any([zone.clone(), Meaning::Nothing, zone.clone()]), zone);
        assert_eq!(Meaning::any([zone.clone(), Meaning::All]), Meaning::All);
        assert_eq!(zone.clone().not().not(), zone);
        assert_eq!(Meaning::any([]), Meaning::Nothing);
        let mixed = Meaning::any([Meaning::Own, zone.clone()]).not();
        assert_eq!(mixed.settled(true), Meaning::Nothing);
        assert_eq!(mixed.settled(false), zone.not());
    }
}
