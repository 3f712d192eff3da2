//! `ip -j addr` and `ip -j -d addr`: interfaces, what they stand on, and their addresses.

use super::Doubt;
use super::fields::{Fields, Reading};
use super::json::Json;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::Family;
use crate::source::{Source, SourceId, Span, Spanned};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What `ip -j addr` shows.
#[derive(Debug, Clone, Default)]
pub struct AddressDump {
    /// The interfaces in the order of the dump, `lo` too.
    pub links: Vec<Link>,
    /// Whether `-d` was given, so that a link without a kind is certainly a plain one.
    pub detailed: bool,
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
    pub doubts: Vec<Doubt>,
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
    /// Whether it is for the link only (`fe80::/10`, or `scope link`).
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
        /// Whether frames that cross it meet the filters of layer 3 even if the sysctl for all bridges says
        /// no, by family (IPv4, IPv6).
        filters: [bool; 2],
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

/// Reads `ip -j addr`.
pub fn parse(source: &Source, id: SourceId, diagnostics: &mut Diagnostics) -> AddressDump {
    let mut dump = AddressDump::default();
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    Reading::objects(source, id, "ip -j addr", diagnostics, |fields, reading| {
        let Some((link, detailed)) = read_link(fields, reading) else { return };
        dump.detailed |= detailed;
        if let Some(first) = seen.insert(link.name.value.clone(), link.name.span) {
            let message = format!("interface `{}` is listed twice", link.name.value);
            let error = Diagnostic::error(Code::DuplicateKey, link.name.span, message);
            return reading.report(error.also(first, "first here"));
        }
        dump.links.push(link);
    });
    dump
}

/// Keys of a link that change nothing in the model: counters, sizes, names, queues, hardware.
const IRRELEVANT: &str = "
    ifindex mtu qdisc group txqlen link_type address broadcast altnames linkmode mode stats stats64
    promiscuity allmulti min_mtu max_mtu inet6_addr_gen_mode num_tx_queues num_rx_queues gso_max_size
    gso_max_segs tso_max_size tso_max_segs gro_max_size gso_ipv4_max_size gro_ipv4_max_size
    max_pacing_offload_horizon netns-immutable ifalias permaddr parentbus parentdev phys_port_name
    phys_port_id phys_switch_id event new_netnsid new_ifindex proto_down carrier_changes vfinfo_list
    num_vf headroom tailroom link_pointtopoint
";

fn read_link<'a>(mut fields: Fields<'_, 'a>, reading: &mut Reading<'a, '_>) -> Option<(Link, bool)> {
    let name = fields.need("ifname", "an interface", reading).and_then(|json| reading.text(json))?;
    let flags: Vec<&str> = match fields.take("flags") {
        Some(json) => {
            reading.items(json).iter().filter_map(|flag| reading.text(flag)).map(|f| f.value).collect()
        }
        None => Vec::new(),
    };
    let state = fields.text("operstate", reading);
    let detailed = fields.take("linkinfo");
    let is_loopback = flags.contains(&"LOOPBACK");
    let kind = match detailed {
        Some(json) => read_kind(json, reading),
        None if is_loopback => LinkKind::Loopback,
        None => LinkKind::Plain,
    };
    // Without `linkinfo` a detailed dump still shows `promiscuity`, also for physical ports.
    let detailed = detailed.is_some() || fields.take("promiscuity").is_some();
    let owned = |text: Option<Spanned<&str>>| text.map(|t| t.map(str::to_owned));
    let master = owned(fields.text("master", reading));
    let parent = owned(fields.text_if_any("link", reading));
    let elsewhere = fields.take("link_netnsid").is_some() | fields.take("link_index").is_some();
    let infos = fields.take("addr_info").map_or(&[][..], |json| reading.items(json));
    let mut doubts = Vec::new();
    let mut addresses = Vec::new();
    for info in infos {
        if let Some(fields) = reading.fields(info) {
            addresses.extend(read_address(fields, &mut doubts, reading));
        }
    }
    fields.irrelevant(IRRELEVANT);
    let left = fields.left();
    doubts
        .extend(left.map(|(key, at)| Doubt::havoc(format!("what `{key}` does to packets of the link"), at)));
    let link = Link {
        name: name.map(str::to_owned),
        span: fields.span,
        kind,
        up: flags.contains(&"UP"),
        running: flags.contains(&"LOWER_UP") && state.is_none_or(|s| matches!(s.value, "UP" | "UNKNOWN")),
        master,
        parent,
        parent_elsewhere: elsewhere,
        addresses,
        doubts,
    };
    Some((link, detailed))
}

/// The kind that `linkinfo` shows. What it says beyond the keys read here (timers, modes, endpoints) belongs
/// to the link and is the business of `tunnels` and `trunk` in the topology.
fn read_kind<'a>(json: &Json<'a>, reading: &mut Reading<'a, '_>) -> LinkKind {
    let Some(mut info) = reading.fields(json) else { return LinkKind::Plain };
    let Some(kind) = info.text("info_kind", reading) else { return LinkKind::Plain };
    let mut data = info.take("info_data").and_then(|json| reading.fields(json));
    let mut number =
        |key: &str| data.as_mut().and_then(|data| data.number::<u32>(key, reading)).map(|n| n.value);
    match kind.value {
        "vlan" => match number("id").and_then(|id| u16::try_from(id).ok()) {
            Some(tag) => LinkKind::Vlan { tag },
            None => LinkKind::Other("vlan".to_owned()),
        },
        "vrf" => match number("table") {
            Some(table) => LinkKind::Vrf { table },
            None => LinkKind::Other("vrf".to_owned()),
        },
        "bridge" => LinkKind::Bridge {
            vlan_filtering: number("vlan_filtering").map(|on| on != 0),
            filters: ["nf_call_iptables", "nf_call_ip6tables"].map(|key| number(key).unwrap_or(0) != 0),
        },
        "bond" | "team" => LinkKind::Bond,
        "veth" => LinkKind::Veth,
        "macvlan" | "macvtap" | "ipvlan" | "ipvtap" => LinkKind::Macvlan,
        "dummy" | "ifb" | "nlmon" => LinkKind::Dummy,
        "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" | "ip6erspan" | "ipip" | "ip6tnl" | "sit"
        | "vti" | "vti6" | "vxlan" | "geneve" | "bareudp" | "wireguard" | "tun" | "ppp" | "xfrm" | "gtp"
        | "fou" | "l2tp" | "ovpn" | "amt" => LinkKind::Tunnel(kind.value.to_owned()),
        other => LinkKind::Other(other.to_owned()),
    }
}

/// Keys of an address that change nothing in the model.
const IRRELEVANT_OF_ADDRESS: &str = "
    label preferred_life_time secondary deprecated nodad home optimistic mngtmpaddr stable-privacy
    autojoin metric protocol proto flags
";

fn read_address<'a>(
    mut fields: Fields<'_, 'a>,
    doubts: &mut Vec<Doubt>,
    reading: &mut Reading<'a, '_>,
) -> Option<LinkAddress> {
    let family = fields.text("family", reading)?;
    if !matches!(family.value, "inet" | "inet6") {
        let what = format!("what an address of the family `{}` carries", family.value);
        doubts.push(Doubt::havoc(what, fields.span));
        return None;
    }
    let local = fields.need("local", "an address", reading).and_then(|json| reading.text(json))?;
    let address = parse_address(local, family.value, reading)?;
    let length = fields.number::<u8>("prefixlen", reading)?;
    let peer = fields.text("address", reading).and_then(|text| parse_address(text, family.value, reading));
    let broadcast = fields.text("broadcast", reading).and_then(|t| parse_address(t, family.value, reading));
    let (near, far) = match peer {
        Some(peer) => (IpNet::new(address, Family::of(address).bits()), Some(IpNet::new(peer, length.value))),
        None => (IpNet::new(address, length.value), None),
    };
    let (Ok(net), Ok(peer)) = (near, far.transpose()) else {
        reading.bad(length.span, format!("a prefix length of {} is too long", length.value));
        return None;
    };
    let scope = fields.text("scope", reading);
    let forever = |n: Spanned<u64>| n.value == u64::from(u32::MAX);
    let expires = fields.number::<u64>("valid_life_time", reading).is_some_and(|life| !forever(life));
    let dynamic = fields.flag("dynamic") | fields.flag("temporary");
    let tentative = fields.flag("tentative") | fields.flag("dadfailed");
    let no_prefix_route = fields.flag("noprefixroute");
    fields.irrelevant(IRRELEVANT_OF_ADDRESS);
    doubts.extend(fields.doubts("the address"));
    Some(LinkAddress {
        net,
        span: local.span,
        peer,
        broadcast,
        link_scope: scope.is_some_and(|s| s.value == "link"),
        dynamic: dynamic || expires,
        tentative,
        no_prefix_route,
    })
}

/// An address that must be of the family that `ip` names `inet` or `inet6`.
fn parse_address<'a>(text: Spanned<&str>, family: &str, reading: &mut Reading<'a, '_>) -> Option<IpAddr> {
    let wanted = if family == "inet" { Family::V4 } else { Family::V6 };
    match text.value.parse() {
        Ok(address) if Family::of(address) == wanted => Some(address),
        Ok(_) | Err(_) => {
            let message = format!("`{}` is not an {wanted} address", text.value);
            reading.report(Diagnostic::error(Code::Address, text.span, message));
            None
        }
    }
}
