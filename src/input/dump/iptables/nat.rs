//! Targets that translate addresses: `SNAT`, `DNAT`, `MASQUERADE`, `REDIRECT`, `NETMAP` (iptables-extensions(8)).

use super::rule::{Opening, Outcome, RuleReader, error};
use super::target::{self, Effect, Says, Verdict};
use super::values;
use crate::header::{AddressRange, Family};
use crate::model::translation::End;
use crate::model::{NewAddress, Translation};
use crate::source::Span;
use ipnet::IpNet;

/// A target as it is being read.
struct Target<'t> {
    name: &'t str,
    family: Family,
    to: Option<NewAddress>,
    ports: Option<(u16, u16)>,
    random: bool,
    /// Whether it says something that is not understood.
    unclear: bool,
}

/// Reads the options of such a target. One that is not understood may do anything with packets.
pub(super) fn read(
    reader: &mut RuleReader<'_, '_, '_>,
    known: &target::Target,
    opening: Opening,
) -> Outcome<Verdict> {
    let family = reader.context.family;
    let mut target =
        Target { name: known.name, family, to: None, ports: None, random: false, unclear: false };
    while let Some((option, value)) = reader.target_option() {
        target.option(known.says(option.value), option.span, value.map(|value| value.value))?;
    }
    let span = reader.upto(opening);
    Ok(target.verdict(span))
}

impl Target<'_> {
    fn option(&mut self, says: Option<Says>, span: Span, value: Option<&str>) -> Outcome<()> {
        match (says, value) {
            (Some(Says::Ends), Some(value)) => self.ends(value).map_err(|message| error(span, message))?,
            (Some(Says::Ports), Some(value)) => {
                self.ports = self.port_range(value).map_err(|message| error(span, message))?;
            }
            (Some(Says::Prefix), Some(value)) => {
                let found = values::addresses(value, self.family).map_err(|message| error(span, message))?;
                match found {
                    values::Addresses::Ranges(ranges) => {
                        self.to = ranges.first().and_then(prefix_of).map(NewAddress::Prefix);
                    }
                    values::Addresses::Unclear => self.unclear = true,
                }
            }
            (Some(Says::Random), None) => self.random = true,
            (Some(Says::Nothing), None) => {}
            _ => self.unclear = true,
        }
        Ok(())
    }

    /// `address[-address][:port[-port]]`; those of IPv6 in brackets if ports follow.
    fn ends(&mut self, value: &str) -> Result<(), String> {
        let (addresses, ports) = match (value.strip_prefix('['), self.family) {
            (Some(inside), Family::V6) => {
                let (addresses, rest) =
                    inside.split_once(']').ok_or_else(|| format!("`{value}` lacks its `]`"))?;
                (addresses, rest.strip_prefix(':'))
            }
            (_, Family::V6) => (value, None),
            (_, Family::V4) => match value.split_once(':') {
                Some((addresses, ports)) => (addresses, Some(ports)),
                None => (value, None),
            },
        };
        self.to = Some(match addresses {
            "" => NewAddress::Kept,
            _ => match values::address_range(addresses, self.family)? {
                values::Addresses::Ranges(ranges) => {
                    ranges.first().map_or(NewAddress::Kept, |range| NewAddress::Range(*range))
                }
                values::Addresses::Unclear => {
                    self.unclear = true;
                    NewAddress::Kept
                }
            },
        });
        if let Some(ports) = ports {
            self.ports = self.port_range(ports)?;
        }
        Ok(())
    }

    /// `port` or `low-high`. A base port behind `/` shifts the range, which is not understood.
    fn port_range(&mut self, text: &str) -> Result<Option<(u16, u16)>, String> {
        if text.contains('/') || text.contains(|c: char| c.is_ascii_alphabetic()) {
            self.unclear = true;
            return Ok(None);
        }
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let port =
            |end: &str| end.parse::<u16>().map_err(|_| format!("`{text}` is not a port or a range of ports"));
        let (low, high) = (port(low)?, port(high)?);
        if low > high {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        Ok(Some((low, high)))
    }

    fn verdict(self, span: Span) -> Verdict {
        let end = match self.name {
            "SNAT" | "MASQUERADE" => Some(End::Source),
            "DNAT" | "REDIRECT" => Some(End::Destination),
            // Which end `NETMAP` maps, the chain says.
            _ => None,
        };
        let to = match self.name {
            "MASQUERADE" | "REDIRECT" => Some(NewAddress::Interface),
            _ => self.to,
        };
        match to {
            Some(to) if !self.unclear => {
                let end_known = end.unwrap_or(End::Destination);
                let translation =
                    Translation { end: end_known, to, ports: self.ports, random: self.random, span };
                Verdict::Translate { translation, end }
            }
            Some(_) | None => Verdict::Unknown { span, effect: Effect::Havoc },
        }
    }
}

fn prefix_of(range: &AddressRange) -> Option<IpNet> {
    let family = Family::of(range.low);
    (0..=family.bits())
        .filter_map(|bits| IpNet::new(range.low, bits).ok())
        .find(|net| net.network() == range.low && net.broadcast() == range.high)
}
