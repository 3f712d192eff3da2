//! What a network is built from: plain data with places. Names are text here; the builder looks them up.
//!
//! Facts of groups and of `defaults` are merged into these already. [`Stated::own`] tells them from what a
//! node says of itself, because a device's own files beat the former and contradict the latter
//! (SEMANTICS.md section 2.3).

use crate::model::{Fact, Hook, MarkTest, Translating, UnknownId};
use crate::source::{Span, Spanned};
use ipnet::IpNet;
use std::net::IpAddr;

/// A declared fact and who declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub span: Span,
    /// Whether the node or interface says so itself; else it comes from a group or from `defaults`.
    pub own: bool,
}

impl<T> Stated<T> {
    /// What a node or interface says of itself.
    pub fn own(value: T, span: Span) -> Stated<T> {
        Stated { value, span, own: true }
    }

    /// What a group or `defaults` says.
    pub fn inherited(value: T, span: Span) -> Stated<T> {
        Stated { value, span, own: false }
    }
}

/// A site.
#[derive(Debug, Clone)]
pub struct SiteSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// ISO 3166-1 alpha-2, or 3166-2.
    pub jurisdiction: Option<Spanned<String>>,
}

/// A zone.
#[derive(Debug, Clone)]
pub struct ZoneSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// `management` or another plane.
    pub plane: Option<String>,
    /// Key and value, in the order written.
    pub labels: Vec<(String, String)>,
}

/// A name for a VLAN tag.
#[derive(Debug, Clone)]
pub struct VlanSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// The tag; 1 to 4094 is valid.
    pub tag: Spanned<u16>,
}

/// A name for a separate routing table.
#[derive(Debug, Clone)]
pub struct VrfSpec {
    /// Its name.
    pub name: Spanned<String>,
}

/// A device.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Its name, at the key.
    pub name: Spanned<String>,
    /// The word of its role; `None` is a host.
    pub role: Option<Spanned<String>>,
    /// The word of its operating system; `None` is an unknown kind.
    pub kind: Option<Spanned<String>>,
    /// The name of its site.
    pub site: Option<Spanned<String>>,
    /// Key and value, in the order written.
    pub labels: Vec<(String, String)>,
    /// Its interfaces, in the order written; those of a dump merged with those of the description.
    pub interfaces: Vec<InterfaceSpec>,
    /// Whether it forwards, if that is declared.
    pub forwarding: Option<Stated<bool>>,
    /// Whether IPv6 runs on those of its interfaces that have no IPv6 address, if that is declared.
    pub ipv6: Option<Stated<bool>>,
    /// Next hops of its default routes, one for each family. They must be on-link.
    pub gateway: Vec<Stated<IpAddr>>,
    /// Its routes, in order.
    pub routes: Vec<RouteSpec>,
    /// Whether the routes of connected prefixes are to be derived from the addresses, by family (IPv4, IPv6).
    /// Not if `routes` come from a dump that shows them.
    pub connected: [bool; 2],
    /// The rules of a dump, of both families; `None` derives them from the VRFs of the interfaces.
    pub lookup: Option<Vec<LookupRuleSpec>>,
    /// Lists of what comes in, before it is translated and routed.
    pub prerouting: Vec<Hook>,
    /// Lists before local delivery.
    pub input: Vec<Hook>,
    /// Lists between two interfaces.
    pub forward: Vec<Hook>,
    /// Lists for what it sends itself.
    pub output: Vec<Hook>,
    /// Lists for the same before its destination is translated.
    pub early_output: Vec<Hook>,
    /// Lists for the same behind its last routing.
    pub late_output: Vec<Hook>,
    /// Those of them behind which a packet is routed again if they changed its mark.
    pub rerouting: Vec<Hook>,
    /// What it makes of addresses and ports.
    pub translating: Translating,
    /// What its own files show.
    pub dumped: DumpedFacts,
    /// Why it may rewrite, copy or divert packets in a way that nothing here describes, if it may. On *may* it
    /// then sends anything anywhere once a packet reaches it.
    pub havoc: Option<UnknownId>,
}

impl NodeSpec {
    /// A node of which nothing is said.
    pub fn new(name: Spanned<String>) -> NodeSpec {
        NodeSpec {
            name,
            role: None,
            kind: None,
            site: None,
            labels: Vec::new(),
            interfaces: Vec::new(),
            forwarding: None,
            ipv6: None,
            gateway: Vec::new(),
            routes: Vec::new(),
            connected: [true; 2],
            lookup: None,
            prerouting: Vec::new(),
            input: Vec::new(),
            forward: Vec::new(),
            output: Vec::new(),
            early_output: Vec::new(),
            late_output: Vec::new(),
            rerouting: Vec::new(),
            translating: Translating::default(),
            dumped: DumpedFacts::default(),
            havoc: None,
        }
    }
}

/// Facts of a node that its own files show. `None` is silence.
#[derive(Debug, Clone, Default)]
pub struct DumpedFacts {
    /// Where its sets stand.
    pub sets: Option<Span>,
    /// Whether it forwards, by family (IPv4, IPv6).
    pub forwarding: [Option<Spanned<bool>>; 2],
    /// Whether it honours IP source routing.
    pub source_routing: Option<Spanned<bool>>,
    /// Whether it forwards multicast.
    pub multicast_forwarding: Option<Spanned<bool>>,
}

/// What an interface does with sources that its routes do not expect there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceCheck {
    /// Drops them unless the best route back leaves there.
    Strict,
    /// Drops those without any route.
    Loose,
    /// Takes them.
    Off,
}

impl SourceCheck {
    /// The word of the description.
    pub fn word(self) -> &'static str {
        match self {
            SourceCheck::Strict => "strict",
            SourceCheck::Loose => "loose",
            SourceCheck::Off => "off",
        }
    }
}

/// An interface.
#[derive(Debug, Clone)]
pub struct InterfaceSpec {
    /// Its name, at the key.
    pub name: Spanned<String>,
    /// Its addresses of both families, in the order written.
    pub addresses: Vec<AddressSpec>,
    /// Whether IPv6 runs on it, if the interface says so itself (`ipv6: off`).
    pub ipv6: Option<Spanned<bool>>,
    /// Key and value, in the order written.
    pub labels: Vec<(String, String)>,
    /// The name of its zone.
    pub zone: Option<Spanned<String>>,
    /// The name of its VRF; `None` is the main table.
    pub vrf: Option<Spanned<String>>,
    /// The VLAN of a tagged sub-interface, or of a switch's own address.
    pub vlan: Option<Spanned<String>>,
    /// The VLANs that it carries tagged.
    pub trunk: Option<TrunkSpec>,
    /// The VLAN that it carries untagged.
    pub access: Option<Spanned<String>>,
    /// The VLAN that a trunk carries untagged.
    pub native: Option<Spanned<String>>,
    /// What it does with strange sources, if that is declared.
    pub antispoof: Option<Stated<SourceCheck>>,
    /// Lists on receive.
    pub ingress: Vec<Hook>,
    /// Lists before sending.
    pub egress: Vec<Hook>,
    /// Whether it is a loopback: it has no segment, and 127.0.0.0/8 and `::1` on it are nobody's business.
    pub loopback: bool,
    /// A tagged sub-interface as a dump shows it: the name of the parent and the tag.
    pub tagged: Option<TaggedSpec>,
    /// The bridge or bond of the same node that it is a port of, as a dump shows it. It has no segment then.
    pub master: Option<Spanned<String>>,
    /// What the node's own files show.
    pub dumped: DumpedInterface,
}

impl InterfaceSpec {
    /// An interface of which nothing is said.
    pub fn new(name: Spanned<String>) -> InterfaceSpec {
        InterfaceSpec {
            name,
            addresses: Vec::new(),
            ipv6: None,
            labels: Vec::new(),
            zone: None,
            vrf: None,
            vlan: None,
            trunk: None,
            access: None,
            native: None,
            antispoof: None,
            ingress: Vec::new(),
            egress: Vec::new(),
            loopback: false,
            tagged: None,
            master: None,
            dumped: DumpedInterface::default(),
        }
    }
}

/// Facts of an interface that the node's own files show. `None` is silence.
#[derive(Debug, Clone, Default)]
pub struct DumpedInterface {
    /// What it does with strange sources, by family (IPv4, IPv6).
    pub antispoof: [Option<Spanned<SourceCheck>>; 2],
    /// Whether IPv6 runs on it.
    pub ipv6: Option<Spanned<bool>>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy)]
pub struct AddressSpec {
    /// The address with the length of its prefix.
    pub net: IpNet,
    /// Where it is written.
    pub span: Span,
    /// The destinations that are on-link because of it: its prefix, the peer of a point-to-point address, or
    /// nothing (`noprefixroute`).
    pub on_link: Option<IpNet>,
}

impl AddressSpec {
    /// An address whose prefix is on-link.
    pub fn new(net: IpNet, span: Span) -> AddressSpec {
        AddressSpec { net, span, on_link: Some(net.trunc()) }
    }
}

/// The VLANs of a trunk.
#[derive(Debug, Clone)]
pub enum TrunkSpec {
    /// The other end may choose.
    Auto(Span),
    /// Exactly these.
    Vlans(Vec<Spanned<String>>),
}

/// A tagged sub-interface of a dump.
#[derive(Debug, Clone)]
pub struct TaggedSpec {
    /// The interface that it stands on.
    pub parent: Spanned<String>,
    /// The tag.
    pub tag: u16,
}

/// A routing table of a node, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableName {
    /// The main table.
    Main,
    /// That of a VRF of the description.
    Vrf(String),
    /// Any other of a dump, by name or number.
    Dumped(String),
}

/// A route.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// The whole route.
    pub span: Span,
    /// Where it leads to.
    pub to: Spanned<Destination>,
    /// What it does.
    pub action: RouteActionSpec,
    /// Its table. The place of a VRF's name is [`RouteSpec::span`] unless `table_span` is set.
    pub table: TableName,
    /// Where the name of the table is written.
    pub table_span: Option<Span>,
    /// Its preference among equal prefixes; smaller wins.
    pub metric: u32,
    /// Set if it is not certain that it is in force.
    pub unknown: Option<UnknownId>,
    /// Whether it was learned from a peer.
    pub dynamic: bool,
}

impl RouteSpec {
    /// A certain, static route of the main table.
    pub fn new(span: Span, to: Spanned<Destination>, action: RouteActionSpec) -> RouteSpec {
        RouteSpec {
            span,
            to,
            action,
            table: TableName::Main,
            table_span: None,
            metric: 0,
            unknown: None,
            dynamic: false,
        }
    }
}

/// Where a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Everything: of the family of the next hops, or of both families if there is none.
    Default,
    /// A prefix, which must not have host bits.
    Prefix(IpNet),
}

/// What a route does.
#[derive(Debug, Clone)]
pub enum RouteActionSpec {
    /// Sends to one of these.
    Send(Vec<HopSpec>),
    /// Drops without a word.
    Blackhole,
    /// Drops and answers.
    Unreachable,
    /// Ends the table.
    Throw,
}

/// A next hop. Without an interface the neighbour must be on-link; without a neighbour the interface must be
/// given.
#[derive(Debug, Clone, Default)]
pub struct HopSpec {
    /// The neighbour; `None` is the destination itself.
    pub via: Option<Spanned<IpAddr>>,
    /// The name of the out-interface.
    pub interface: Option<Spanned<String>>,
}

/// A rule of the policy database of a dump.
#[derive(Debug, Clone)]
pub struct LookupRuleSpec {
    /// Only packets from these sources.
    pub from: Option<IpNet>,
    /// Only packets to these destinations.
    pub to: Option<IpNet>,
    /// Only packets that came in on one of these interfaces.
    pub incoming: Option<Vec<Spanned<String>>>,
    /// Only packets with such a mark.
    pub mark: Option<MarkTest>,
    /// Set if it is not known what else it asks.
    pub unknown: Option<UnknownId>,
    /// What it does.
    pub action: LookupSpec,
    /// Where it is written.
    pub span: Option<Span>,
    /// Whether a packet that its table does not route goes on.
    pub falls_through: Fact,
}

/// What a rule of the policy database does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupSpec {
    /// Looks into a table; one without routes is empty.
    Table(TableName),
    /// Drops without a word.
    Blackhole,
    /// Drops and answers.
    Unreachable,
}

/// A wire, or a segment with more than two ends.
#[derive(Debug, Clone)]
pub struct LinkSpec {
    /// The whole link.
    pub span: Span,
    /// Its ends, two or more.
    pub endpoints: Vec<EndSpec>,
    /// The countries that the line crosses; `None` is silence.
    pub transit: Option<Vec<Spanned<String>>>,
}

/// An end of a link or of a tunnel.
#[derive(Debug, Clone)]
pub enum EndSpec {
    /// The built-in place outside every jurisdiction, named here.
    Internet(Span),
    /// An interface of a node.
    Interface {
        /// The node.
        node: Spanned<String>,
        /// The interface.
        interface: Spanned<String>,
        /// Both as one.
        span: Span,
    },
}

impl EndSpec {
    /// Where it is written.
    pub fn span(&self) -> Span {
        match self {
            EndSpec::Internet(span) | EndSpec::Interface { span, .. } => *span,
        }
    }
}

/// A link that other links carry.
#[derive(Debug, Clone)]
pub struct TunnelSpec {
    /// Its name, at the key.
    pub name: Spanned<String>,
    /// How packets are wrapped, such as `gre`.
    pub encapsulation: Spanned<String>,
    /// The interfaces at its ends.
    pub endpoints: Vec<EndSpec>,
    /// The addresses of the outer packets, in the order of the ends; empty if they are not given.
    pub outer: Vec<Spanned<IpAddr>>,
}

/// Whether the links are all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cabling {
    /// They are.
    Complete,
    /// Any two interfaces without a link may be wired together; said here.
    Unknown(Span),
}
