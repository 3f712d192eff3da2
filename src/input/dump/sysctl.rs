//! `sysctl -a`: forwarding, anti-spoofing, IPv6, source routing, bridges.

use crate::header::Family;
use crate::source::Spanned;

/// What `sysctl -a` shows, as far as it matters to the walk of a packet.
#[derive(Debug, Clone, Default)]
pub struct SysctlDump {}

/// `rp_filter` (RFC 3704).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RpFilter {
    /// 0: takes every source.
    Off,
    /// 1: takes a source only where the best route back leaves.
    Strict,
    /// 2: takes every source that has a route.
    Loose,
}

impl SysctlDump {
    /// Whether the device forwards a family; `None` if the dump does not say.
    /// The value has the place of the line that decided.
    pub fn forwarding(&self, _family: Family) -> Option<Spanned<bool>> {
        None
    }

    /// What an interface does with strange IPv4 sources: the larger of `all` and its own value.
    pub fn rp_filter(&self, _interface: &str) -> Option<Spanned<RpFilter>> {
        None
    }

    /// Whether IPv6 is off on an interface: `all` does not decide it, only its own value does.
    pub fn ipv6_disabled(&self, _interface: &str) -> Option<Spanned<bool>> {
        None
    }

    /// Whether some interface honours IP source routing.
    pub fn source_routing(&self) -> Option<Spanned<bool>> {
        None
    }

    /// Whether the device forwards multicast.
    pub fn multicast_forwarding(&self) -> Option<Spanned<bool>> {
        None
    }

    /// Whether frames that cross a bridge meet the filters of layer 3.
    pub fn bridge_filters(&self, _family: Family) -> Option<Spanned<bool>> {
        None
    }
}
