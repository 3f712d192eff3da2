//! `ip -j addr` and `ip -j -d addr`: interfaces, what they stand on, and their addresses.

use crate::source::{Span, Spanned};
use ipnet::IpNet;
use std::net::IpAddr;

/// What `ip -j addr` shows.
#[derive(Debug, Clone, Default)]
pub struct AddressDump {
    /// The interfaces in the order of the dump, `lo` too.
    pub links: Vec<Link>,
    /// Whether `-d` was given, so that a link without a kind is certainly a plain one.
    pub detailed: bool,
    /// What is not understood about all of it.
    pub doubts: Vec<super::Doubt>,
}

impl AddressDump {
    /// The interface of a name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name.value == name)
    }
}

/// An interface.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its name, without the `@parent` that the plain text shows.
    pub name: Spanned<String>,
    /// The whole object.
    pub span: Span,
    /// What it is.
    pub kind: LinkKind,
    /// Whether `UP` is among its flags: an administrator wants it up.
    pub up: bool,
    /// Whether it is operational now (`operstate`, `LOWER_UP`). A snapshot only: it may change any time.
    pub running: bool,
    /// The interface that it is enslaved to: a bridge, a bond, or a VRF.
    pub master: Option<Spanned<String>>,
    /// The interface that it stands on (VLAN, macvlan, tunnel) or its veth peer, if it has a name here.
    pub parent: Option<Spanned<String>>,
    /// Whether its parent or peer is in another network namespace.
    pub parent_elsewhere: bool,
    /// Its addresses in the order of the dump, link-local ones too.
    pub addresses: Vec<LinkAddress>,
    /// What is not understood about it.
    pub doubts: Vec<super::Doubt>,
}

/// An address of an interface.
#[derive(Debug, Clone)]
pub struct LinkAddress {
    /// The address with the length of its prefix; host bits are set. Of a point-to-point address this is the
    /// own address with the full length, and `peer` the prefix that lies behind the link.
    pub net: IpNet,
    /// Where the address is written.
    pub span: Span,
    /// The prefix of the other end, if the dump names one (`address` of a point-to-point link).
    pub peer: Option<IpNet>,
    /// The broadcast address, if it is set.
    pub broadcast: Option<IpAddr>,
    /// Whether it has link scope (`fe80::/10`, or `scope link`).
    pub link_scope: bool,
    /// Whether it was learned (DHCP, router advertisements) or expires, and so may change: `dynamic`,
    /// `temporary`, or a finite lifetime.
    pub dynamic: bool,
    /// Whether the kernel does not answer for it now: `tentative`, `dadfailed`.
    pub tentative: bool,
    /// Whether no connected route was made for it (`noprefixroute`).
    pub no_prefix_route: bool,
}

/// What kind of link an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// `lo`.
    Loopback,
    /// A port, or any link of a dump without `-d`, which does not show kinds.
    Plain,
    /// A tagged sub-interface of its parent.
    Vlan {
        /// The tag.
        tag: u16,
    },
    /// A software bridge.
    Bridge {
        /// Whether it looks at VLAN tags; `None` if the dump does not say.
        vlan_filtering: Option<bool>,
    },
    /// Several ports as one.
    Bond,
    /// A VRF; its members look into this table.
    Vrf {
        /// The number of the table.
        table: u32,
    },
    /// One end of a pair.
    Veth,
    /// A second address of layer 2 on its parent (macvlan, macvtap, ipvlan).
    Macvlan,
    /// A link that goes nowhere.
    Dummy,
    /// A tunnel, with the word of the dump (`gre`, `wireguard`, `vxlan`, `tun`, …).
    Tunnel(String),
    /// Any other word.
    Other(String),
}
