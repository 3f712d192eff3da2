//! The network itself: nodes, interfaces, segments, and what is not known about them.

use super::assumption::Assumption;
use super::filter::{Filter, Hook, Test};
use super::id::{
    FilterId, InterfaceId, NodeId, SegmentId, SiteId, TunnelId, UnknownId, VlanId, VrfId, ZoneId,
};
use super::route::{LookupRule, Table};
use super::translation::Translating;
use super::{Fact, Reading};
use crate::header::{AddressRange, Family, address_from_number, address_number};
use crate::source::{Span, Spanned};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A validated network. Made by [`super::build::NetworkBuilder`] only.
#[derive(Debug, Clone)]
pub struct Network {
    /// The name of the description.
    pub name: String,
    /// Sites in the order written.
    pub sites: Vec<Site>,
    /// Zones in the order written.
    pub zones: Vec<Zone>,
    /// VLAN names in the order written.
    pub vlans: Vec<Vlan>,
    /// VRF names in the order written.
    pub vrfs: Vec<Vrf>,
    /// Nodes in the order written, then `internet` if something links to it, then possible ones.
    pub nodes: Vec<Node>,
    /// Interfaces, those of one node together.
    pub interfaces: Vec<Interface>,
    /// Segments.
    pub segments: Vec<Segment>,
    /// Filters, each text once.
    pub filters: Vec<Filter>,
    /// Everything that is not known.
    pub unknowns: Vec<Unknown>,
    /// What is assumed by name, with the reason.
    pub assumptions: BTreeMap<Assumption, Spanned<String>>,
    /// Facts that the ledger of every report names: defaults used, open nodes, trusted devices.
    pub ledger: Vec<LedgerEntry>,
    #[expect(dead_code, reason = "that it cannot be written elsewhere is its use")]
    pub(in crate::model) sealed: Sealed,
}

impl Network {
    /// A network without anything in it, to be filled by hand. It goes past the builder, so nothing checks what is put into
    /// it: for tests that need networks which no text describes, and for nothing else.
    #[doc(hidden)]
    pub fn unchecked_empty(name: &str) -> Network {
        Network {
            name: name.to_owned(),
            sites: Vec::new(),
            zones: Vec::new(),
            vlans: Vec::new(),
            vrfs: Vec::new(),
            nodes: Vec::new(),
            interfaces: Vec::new(),
            segments: Vec::new(),
            filters: Vec::new(),
            unknowns: Vec::new(),
            assumptions: BTreeMap::new(),
            ledger: Vec::new(),
            sealed: Sealed(()),
        }
    }

    /// The node of this number.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The interface of this number.
    pub fn interface(&self, id: InterfaceId) -> &Interface {
        &self.interfaces[id.index()]
    }

    /// The segment of this number.
    pub fn segment(&self, id: SegmentId) -> &Segment {
        &self.segments[id.index()]
    }

    /// The filter of this number.
    pub fn filter(&self, id: FilterId) -> &Filter {
        &self.filters[id.index()]
    }

    /// The unknown of this number.
    pub fn unknown(&self, id: UnknownId) -> &Unknown {
        &self.unknowns[id.index()]
    }

    /// `node:interface`, as reports print it.
    pub fn interface_name(&self, id: InterfaceId) -> String {
        let interface = self.interface(id);
        format!("{}:{}", self.node(interface.node).name, interface.name)
    }

    /// Numbers and nodes in order.
    pub fn nodes_by_id(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId::at(index), node))
    }

    /// Numbers and segments in order.
    pub fn segments_by_id(&self) -> impl Iterator<Item = (SegmentId, &Segment)> {
        self.segments.iter().enumerate().map(|(index, segment)| (SegmentId::at(index), segment))
    }

    /// Whether something is assumed.
    pub fn assumes(&self, assumption: Assumption) -> bool {
        self.assumptions.contains_key(&assumption)
    }

    /// All addresses of a node, in the order of its interfaces.
    pub fn own_addresses(&self, id: NodeId) -> impl Iterator<Item = IpAddr> + '_ {
        let interfaces = self.node(id).interfaces.iter();
        interfaces.flat_map(|i| self.interface(*i).addresses.iter().map(|address| address.net.addr()))
    }

    /// Every hook of a node and of its interfaces.
    pub fn hooks(&self, id: NodeId) -> Vec<Hook> {
        let node = self.node(id);
        let mut hooks: Vec<Hook> = Vec::new();
        hooks.extend(node.prerouting.iter().chain(&node.input).chain(&node.forward).chain(node.own_lists()));
        hooks.extend(node.translating.all());
        for interface in &node.interfaces {
            let interface = self.interface(*interface);
            hooks.extend(interface.ingress.iter().chain(&interface.egress));
        }
        hooks
    }

    /// Whether any node translates addresses, so that a packet may arrive as another than was sent.
    pub fn translates(&self) -> bool {
        self.nodes.iter().any(|node| !node.translating.is_empty())
    }

    /// Whether some rule of a node asks whether a connection is translated.
    pub fn asks_translated(&self, id: NodeId) -> bool {
        let asks = |test: &Test| matches!(test, Test::Translated(_));
        self.hooks(id).iter().any(|hook| self.filter(hook.filter).asks(&asks))
    }

    /// Whether some list of a node may reject.
    pub fn rejects(&self, id: NodeId) -> bool {
        self.hooks(id).iter().any(|hook| self.filter(hook.filter).rejects_from(hook.chain))
    }

    /// Whether the ICMP errors of a node itself count as related to what they are about for one of its lists.
    pub fn relates_own_errors(&self, id: NodeId) -> bool {
        self.node(id).own_lists().any(|hook| self.filter(hook.filter).relates_own_errors)
    }

    /// Whether a list of an interface may reject packets of a family as they come in.
    pub fn rejects_at(&self, id: InterfaceId, family: Family) -> bool {
        let binding =
            self.interface(id).ingress.iter().filter(|hook| hook.family.is_none_or(|f| f == family));
        binding.into_iter().any(|hook| self.filter(hook.filter).rejects_from(hook.chain))
    }

    /// Whether a node forwards packets of a family, under what is assumed.
    pub fn forwards(&self, id: NodeId, family: Family, reading: Reading) -> bool {
        let fact = self.node(id).forwards(family);
        let hidden = fact.unknown().is_some();
        fact.holds(reading) && !(hidden && self.assumes(Assumption::NoHiddenForwarding))
    }

    /// Every address outside the prefixes of the description: those of the internet.
    pub fn undescribed_addresses(&self) -> Vec<AddressRange> {
        let addresses = self.interfaces.iter().flat_map(|interface| &interface.addresses);
        let mut taken: Vec<AddressRange> = addresses.map(|a| AddressRange::prefix(a.net.trunc())).collect();
        taken.sort_unstable();
        let mut free = Vec::new();
        for family in Family::ALL {
            let all = AddressRange::all(family);
            let last = address_number(all.high);
            let mut next = Some(0_u128);
            for range in taken.iter().filter(|range| range.family() == family) {
                let (low, high) = (address_number(range.low), address_number(range.high));
                if let Some(from) = next.filter(|from| *from < low) {
                    let [low, high] = [from, low - 1].map(|number| address_from_number(family, number));
                    free.push(AddressRange { low, high });
                }
                next = next.and_then(|from| if high == last { None } else { Some(from.max(high + 1)) });
            }
            if let Some(from) = next {
                free.push(AddressRange { low: address_from_number(family, from), high: all.high });
            }
        }
        free
    }

    /// The same network without any of its assumptions (`--strict`).
    pub fn without_assumptions(mut self) -> Network {
        self.assumptions.clear();
        self
    }
}

/// Only this module and its builder can make one, and so a [`Network`].
#[derive(Debug, Clone)]
pub struct Sealed(pub(in crate::model) ());

/// A place on earth.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// ISO 3166-1 alpha-2, or 3166-2.
    pub jurisdiction: Option<Spanned<String>>,
}

/// A purpose that interfaces share.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// `management` or another plane, if given.
    pub plane: Option<String>,
    /// Key and value, in the order written.
    pub labels: Vec<(String, String)>,
}

/// A name for a VLAN tag.
#[derive(Debug, Clone)]
pub struct Vlan {
    /// Its name.
    pub name: String,
    /// The tag, 1 to 4094.
    pub tag: u16,
}

/// A name for a separate routing table.
#[derive(Debug, Clone)]
pub struct Vrf {
    /// Its name.
    pub name: String,
}

/// The function of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Forwards.
    Router,
    /// Forwards and filters.
    Firewall,
    /// Forwards between kinds of network.
    Gateway,
    /// Bridges; routes only between VLANs in which it has an address.
    Switch,
    /// Does not forward.
    Host,
    /// The built-in place outside every jurisdiction.
    Internet,
    /// Any other word (`hsm`, `jumphost`, …): as a host.
    Other(String),
}

impl Role {
    /// The word of the description.
    pub fn word(&self) -> &str {
        match self {
            Role::Router => "router",
            Role::Firewall => "firewall",
            Role::Gateway => "gateway",
            Role::Switch => "switch",
            Role::Host => "host",
            Role::Internet => "internet",
            Role::Other(word) => word,
        }
    }

    /// Whether a claim trusts such a node unless it says otherwise (SEMANTICS.md section 2.1).
    pub fn is_trusted_by_default(&self) -> bool {
        matches!(self, Role::Router | Role::Firewall | Role::Gateway | Role::Switch)
    }

    /// Whether such a node certainly forwards (SEMANTICS.md section 2.6).
    pub fn forwards(&self) -> bool {
        matches!(self, Role::Router | Role::Firewall | Role::Gateway)
    }
}

/// The network operating system, which settles the order of the walk and the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Linux with netfilter.
    Linux,
    /// A word that has no table here: *may* takes every order, *must* delivers nothing.
    Unknown(String),
}

/// Whether something certainly is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Existence {
    /// The description says so.
    Described,
    /// It may be there: a next hop that nobody described, whoever can wrap packets for a tunnel.
    Possible(UnknownId),
}

/// A device.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// Its function.
    pub role: Role,
    /// Its operating system.
    pub kind: Kind,
    /// Where it stands.
    pub site: Option<SiteId>,
    /// Key and value, in the order written.
    pub labels: Vec<(String, String)>,
    /// Its interfaces in the order written.
    pub interfaces: Vec<InterfaceId>,
    /// Whether it forwards, by family (IPv4, IPv6).
    pub forwarding: [Fact; 2],
    /// The rules that choose a routing table, in order.
    pub lookup: Vec<LookupRule>,
    /// Its routing tables.
    pub tables: Vec<Table>,
    /// Lists of what comes in, before it is translated and routed.
    pub prerouting: Vec<Hook>,
    /// Lists before local delivery; a packet must pass every one that binds its family.
    pub input: Vec<Hook>,
    /// Lists between two interfaces.
    pub forward: Vec<Hook>,
    /// Lists for what the node itself sends, as it made it, with the out-interface of the first routing.
    pub early_output: Vec<Hook>,
    /// Those behind the translation of its destination, with that out-interface still (`nf_hook_state`).
    pub output: Vec<Hook>,
    /// Those behind the last routing.
    pub late_output: Vec<Hook>,
    /// Those of them behind which a packet is routed again if they changed its mark (`ip_route_me_harder`): the table `mangle` of
    /// iptables, chains of the type `route` of nftables.
    pub rerouting: Vec<Hook>,
    /// What it makes of addresses and ports.
    pub translating: Translating,
    /// Where the sets stand that its own rules name (`ipset`).
    pub sets: Option<Span>,
    /// Whether it honours IP source routing.
    pub source_routing: Fact,
    /// Whether it forwards multicast.
    pub multicast_forwarding: Fact,
    /// Set if its routes are learned and may be replaced by anything that a peer announces.
    pub dynamic_routes: Option<UnknownId>,
    /// Whether it is there at all.
    pub existence: Existence,
}

impl Node {
    /// Whether it forwards packets of a family.
    pub fn forwards(&self, family: Family) -> Fact {
        self.forwarding[family as usize]
    }

    /// Every list for what the node itself sends, in the order in which a packet meets them.
    pub fn own_lists(&self) -> impl Iterator<Item = &Hook> {
        self.early_output.iter().chain(&self.output).chain(&self.late_output)
    }
}

/// What an interface does with sources that its routes do not expect there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Antispoof {
    /// Drops them unless the best route back leaves by this interface (RFC 3704 strict).
    Strict,
    /// Drops only sources without any route (RFC 3704 loose).
    Loose,
    /// Takes them.
    Off,
    /// Nobody said: *may* takes them, *must* takes only what strict would.
    Undeclared(UnknownId),
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// The address with the length of its prefix; host bits are set.
    pub net: IpNet,
    /// Where it is written.
    pub span: Span,
}

/// An interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its node.
    pub node: NodeId,
    /// Its name on the node.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// Its addresses in the order written.
    pub addresses: Vec<Address>,
    /// Key and value, in the order written.
    pub labels: Vec<(String, String)>,
    /// Its zone.
    pub zone: Option<ZoneId>,
    /// Its VRF; `None` is the main table.
    pub vrf: Option<VrfId>,
    /// Its VLAN, if it is in exactly one by name.
    pub vlan: Option<VlanId>,
    /// The segment it receives from and sends to; `None` for a port or trunk of layer 2.
    pub segment: Option<SegmentId>,
    /// What it does with strange sources, by family (IPv4, IPv6).
    pub antispoof: [Antispoof; 2],
    /// Whether IPv6 runs on it (SEMANTICS.md section 3.5).
    pub ipv6: Fact,
    /// Lists on receive.
    pub ingress: Vec<Hook>,
    /// Lists before sending.
    pub egress: Vec<Hook>,
}

/// Which countries the lines of a segment cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transit {
    /// Exactly these, possibly none, each with its place.
    Known(Vec<Spanned<String>>),
    /// These and possibly others.
    Unknown(Vec<Spanned<String>>, UnknownId),
}

/// A link that crosses countries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it is written.
    pub span: Span,
    /// The interfaces at its ends.
    pub ends: Vec<InterfaceId>,
}

/// A broadcast domain.
#[derive(Debug, Clone)]
pub struct Segment {
    /// What reports call it: the ends of its link, or its VLAN.
    pub name: String,
    /// Where it comes from: the link, the tunnel, or the lone interface.
    pub span: Span,
    /// The interfaces that receive from it and send to it, in order.
    pub attached: Vec<InterfaceId>,
    /// The layer 2 ports and trunks that it runs over, in order.
    pub ports: Vec<InterfaceId>,
    /// Countries that its lines cross.
    pub transit: Transit,
    /// The lines among its links that cross a country, in order.
    pub lines: Vec<Line>,
    /// Its VLAN.
    pub vlan: Option<VlanId>,
    /// Whether it is there; tunnels are possible only.
    pub existence: Existence,
    /// The tunnel that it stands for.
    pub tunnel: Option<TunnelId>,
    /// Segments that may also get what is put on this one (double tagging, open cabling).
    pub joins: Vec<Join>,
}

/// A possible way for frames from one segment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Join {
    /// The segment that gets them too.
    pub to: SegmentId,
    /// Why that may be.
    pub unknown: UnknownId,
}

/// Something that the description does not settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What is not known, as a phrase: "whether edge1:eth0 checks sources".
    pub what: String,
    /// Where the question arises.
    pub span: Option<Span>,
    /// The one line that would settle it.
    pub settle: String,
}

/// One line of the ledger: what a verdict rests on without a claim naming it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerEntry {
    /// What is taken for granted.
    pub text: String,
    /// Where it is declared, if it is.
    pub span: Option<Span>,
}
