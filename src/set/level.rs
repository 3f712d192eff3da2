//! The levels of the diagram: which field, or which 16 bits of an address, each one decides.
//!
//! Addresses come first: on first-match lists every order that puts ports or protocol above the addresses
//! was measured three times larger or worse. The limbs of one address are adjacent, so that an address
//! range costs at most two partial nodes for each limb.

use std::fmt;

/// A level number; the root of a diagram has the smallest.
pub(super) type Level = u8;

/// IP version: 0 is IPv4, 1 is IPv6.
pub(super) const FAMILY: Level = 0;
/// The most significant limb of the source.
pub(super) const SRC: Level = FAMILY + 1;
/// The most significant limb of the destination.
pub(super) const DST: Level = SRC + LIMBS;
/// The last protocol number.
pub(super) const PROTO: Level = DST + LIMBS;
/// Destination port.
pub(super) const DPORT: Level = PROTO + 1;
/// Source port.
pub(super) const SPORT: Level = DPORT + 1;
/// ICMP or ICMPv6 type.
pub(super) const ICMP_TYPE: Level = SPORT + 1;
/// ICMP or ICMPv6 code.
pub(super) const ICMP_CODE: Level = ICMP_TYPE + 1;
/// TCP flags.
pub(super) const FLAGS: Level = ICMP_CODE + 1;
/// Whole datagram, first or later fragment.
pub(super) const FRAGMENT: Level = FLAGS + 1;
/// One past the last level: where the terminals stand.
pub(super) const BOTTOM: Level = FRAGMENT + 1;

/// Number of 16-bit limbs of an address. IPv4 uses the first two; the others are don't-care there.
pub(super) const LIMBS: Level = 8;

/// The largest value of each level, by level number. A level that is added later needs its row here, its
/// number above, and its place in [`super::sample`], which turns values into packets and back.
pub(super) const MAX: [u16; BOTTOM as usize] = maxima();

const fn maxima() -> [u16; BOTTOM as usize] {
    let mut max = [u16::MAX; BOTTOM as usize];
    max[FAMILY as usize] = 1;
    max[PROTO as usize] = u8::MAX as u16;
    max[ICMP_TYPE as usize] = u8::MAX as u16;
    max[ICMP_CODE as usize] = u8::MAX as u16;
    max[FLAGS as usize] = u8::MAX as u16;
    max[FRAGMENT as usize] = 2;
    max
}

/// The largest value of a level.
pub(super) fn max(level: Level) -> u16 {
    MAX.get(usize::from(level)).copied().unwrap_or(0)
}

/// One end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The source.
    Src,
    /// The destination.
    Dst,
}

impl Side {
    /// The level of the most significant limb of this side's address.
    pub(super) fn first(self) -> Level {
        match self {
            Side::Src => SRC,
            Side::Dst => DST,
        }
    }

    /// One past the level of the least significant limb.
    pub(super) fn end(self) -> Level {
        self.first() + LIMBS
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Src => "source",
            Side::Dst => "destination",
        })
    }
}

/// A field of the header that is one level. Addresses are not here: they are ranges of several levels, and
/// a limb on its own would let a caller constrain bits that IPv4 does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// IP version, 0 for IPv4 and 1 for IPv6.
    Family,
    /// The last protocol number, 0..=255.
    Proto,
    /// Destination port.
    Dport,
    /// Source port.
    Sport,
    /// ICMP or ICMPv6 type, 0..=255.
    IcmpType,
    /// ICMP or ICMPv6 code, 0..=255.
    IcmpCode,
    /// TCP flags, 0..=255.
    Flags,
    /// 0 whole, 1 first fragment, 2 later fragment.
    Fragment,
}

impl Field {
    /// The level of the field.
    pub(super) fn level(self) -> Level {
        match self {
            Field::Family => FAMILY,
            Field::Proto => PROTO,
            Field::Dport => DPORT,
            Field::Sport => SPORT,
            Field::IcmpType => ICMP_TYPE,
            Field::IcmpCode => ICMP_CODE,
            Field::Flags => FLAGS,
            Field::Fragment => FRAGMENT,
        }
    }

    /// The largest value of the field.
    pub fn max(self) -> u16 {
        max(self.level())
    }
}
