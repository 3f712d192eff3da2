//! What a selector means in a network: certainly and possibly selected places (SEMANTICS.md section 1).
//!
//! Each place gets a truth value of two bounds, and `not`, `and`, `or` work on both at once. So what is certainly
//! selected is possibly selected, and `not` turns one bound into the other.
//!
//! A place that may not exist is never *certainly* selected. Possibly it is in any country, at any site, and owns
//! any address: nobody said. But zones, VLANs, VRFs, planes, labels and roles are words of the description, which
//! gave it none; it has at best those of the segments that it is attached to.

use super::selector::Expr;
use crate::header::AddressRange;
use crate::model::{
    Existence, Fact, Interface, InterfaceId, Network, Node, Reading, Role, Segment, SiteId, Transit, ZoneId,
};
use ipnet::IpNet;
use std::net::Ipv6Addr;
use std::ops::{BitAnd, BitOr, Not};

/// The places that a selector selects in one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// By the number of the node.
    pub nodes: Vec<bool>,
    /// By the number of the segment.
    pub segments: Vec<bool>,
}

impl Selection {
    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        !self.nodes.iter().chain(&self.segments).any(|selected| *selected)
    }
}

/// The places that are certainly ([`Reading::Must`]) or possibly ([`Reading::May`]) selected.
pub fn select(network: &Network, expr: &Expr, reading: Reading) -> Selection {
    let truths = evaluate(&Facts::of(network), expr);
    let bound = |truth: &Truth, existence: Existence| match reading {
        Reading::May => truth.possible,
        Reading::Must => truth.certain && existence == Existence::Described,
    };
    let nodes = network.nodes.iter().zip(&truths.nodes);
    let segments = network.segments.iter().zip(&truths.segments);
    Selection {
        nodes: nodes.map(|(node, truth)| bound(truth, node.existence)).collect(),
        segments: segments.map(|(segment, truth)| bound(truth, segment.existence)).collect(),
    }
}

/// Whether something is so: certainly, possibly, or not at all. `certain` implies `possible`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Truth {
    certain: bool,
    possible: bool,
}

impl Truth {
    const YES: Truth = Truth { certain: true, possible: true };
    const NO: Truth = Truth { certain: false, possible: false };
    const OPEN: Truth = Truth { certain: false, possible: true };

    fn from(holds: bool) -> Truth {
        if holds { Truth::YES } else { Truth::NO }
    }
}

impl BitAnd for Truth {
    type Output = Truth;

    fn bitand(self, other: Truth) -> Truth {
        Truth { certain: self.certain && other.certain, possible: self.possible && other.possible }
    }
}

impl BitOr for Truth {
    type Output = Truth;

    fn bitor(self, other: Truth) -> Truth {
        Truth { certain: self.certain || other.certain, possible: self.possible || other.possible }
    }
}

impl Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        Truth { certain: !self.possible, possible: !self.certain }
    }
}

/// The truth of an expression at every place.
struct Truths {
    nodes: Vec<Truth>,
    segments: Vec<Truth>,
}

impl Truths {
    fn combined(mut self, other: Truths, with: fn(Truth, Truth) -> Truth) -> Truths {
        let all = self.nodes.iter_mut().chain(&mut self.segments);
        for (mine, its) in all.zip(other.nodes.into_iter().chain(other.segments)) {
            *mine = with(*mine, its);
        }
        self
    }
}

fn evaluate(facts: &Facts<'_>, expr: &Expr) -> Truths {
    match expr {
        Expr::And(parts) => {
            let all = parts.iter().map(|part| evaluate(facts, part));
            all.fold(facts.everywhere(Truth::YES), |so_far, next| so_far.combined(next, Truth::bitand))
        }
        Expr::Or(parts) => {
            let all = parts.iter().map(|part| evaluate(facts, part));
            all.fold(facts.everywhere(Truth::NO), |so_far, next| so_far.combined(next, Truth::bitor))
        }
        Expr::Not(inner) => {
            let mut truths = evaluate(facts, inner);
            for truth in truths.nodes.iter_mut().chain(&mut truths.segments) {
                *truth = !*truth;
            }
            truths
        }
        Expr::Any => facts.everywhere(Truth::YES),
        Expr::Internet => facts.internet(),
        Expr::Jurisdiction(code) => facts.jurisdiction(code),
        Expr::Site(site) => facts.site(*site),
        Expr::Zone(zone) => facts.attribute(|interface| interface.zone == Some(*zone), |_| false),
        Expr::Vlan(vlan) => {
            let mut truths = facts.attribute(|interface| interface.vlan == Some(*vlan), |_| false);
            for (truth, segment) in truths.segments.iter_mut().zip(&facts.network.segments) {
                *truth = *truth | Truth::from(segment.vlan == Some(*vlan));
            }
            truths
        }
        Expr::Vrf(vrf) => facts.attribute(|interface| interface.vrf == Some(*vrf), |_| false),
        Expr::Plane(plane) => {
            let is = |zone: ZoneId| facts.network.zones[zone.index()].plane.as_deref() == Some(plane);
            facts.attribute(|interface| interface.zone.is_some_and(is), |_| false)
        }
        Expr::Label(key, value) => {
            let has = |labels: &[(String, String)]| labels.iter().any(|(k, v)| k == key && v == value);
            let zones: Vec<bool> = facts.network.zones.iter().map(|zone| has(&zone.labels)).collect();
            let in_zone = |zone: ZoneId| zones[zone.index()];
            let is = |own: &Interface| has(&own.labels) || own.zone.is_some_and(in_zone);
            facts.attribute(is, |node| has(&node.labels))
        }
        Expr::Node(id) => {
            let mut truths = facts.everywhere(Truth::NO);
            if let Some(truth) = truths.nodes.get_mut(id.index()) {
                *truth = Truth::YES;
            }
            truths
        }
        Expr::Role(word) => {
            let truth = |node: &Node| Truth::from(node.role.word() == word);
            Truths {
                nodes: facts.network.nodes.iter().map(truth).collect(),
                segments: vec![Truth::NO; facts.network.segments.len()],
            }
        }
        Expr::Ip(net) => facts.owners(*net),
    }
}

/// What the atoms ask of a network.
struct Facts<'n> {
    network: &'n Network,
}

impl<'n> Facts<'n> {
    fn of(network: &'n Network) -> Facts<'n> {
        Facts { network }
    }

    fn everywhere(&self, truth: Truth) -> Truths {
        Truths {
            nodes: vec![truth; self.network.nodes.len()],
            segments: vec![truth; self.network.segments.len()],
        }
    }

    /// The interfaces that end a segment: those attached, and the ports that it runs over.
    fn ends<'s>(&self, segment: &'s Segment) -> impl Iterator<Item = InterfaceId> + 's {
        segment.attached.iter().chain(&segment.ports).copied()
    }

    /// The built-in place, and the segments that it is attached to: everybody there can see them.
    fn internet(&self) -> Truths {
        let truth = |node: &Node| match (&node.role, node.existence) {
            (Role::Internet, _) => Truth::YES,
            (_, Existence::Described) => Truth::NO,
            (_, Existence::Possible(_)) => Truth::OPEN,
        };
        let nodes: Vec<Truth> = self.network.nodes.iter().map(truth).collect();
        let segments = self.network.segments.iter().map(|segment| self.any_end(segment, &nodes)).collect();
        Truths { nodes, segments }
    }

    /// Whether any end of a segment is of such a node.
    fn any_end(&self, segment: &Segment, nodes: &[Truth]) -> Truth {
        let ends = self.ends(segment).map(|id| nodes[self.network.interface(id).node.index()]);
        ends.fold(Truth::NO, Truth::bitor)
    }

    /// Whether all ends of a segment are of such nodes, and all countries that it crosses are so.
    fn all_ends(&self, segment: &Segment, nodes: &[Truth], country: &dyn Fn(&str) -> Truth) -> Truth {
        let ends = self.ends(segment).map(|id| nodes[self.network.interface(id).node.index()]);
        let ends = ends.reduce(Truth::bitand).unwrap_or(Truth::OPEN);
        let (crossed, rest) = match &segment.transit {
            Transit::Known(crossed) => (crossed, Truth::YES),
            Transit::Unknown(crossed, _) => (crossed, Truth::OPEN),
        };
        crossed.iter().map(|code| country(&code.value)).fold(ends & rest, Truth::bitand)
    }

    fn jurisdiction(&self, code: &str) -> Truths {
        let truth = |node: &Node| match (&node.role, node.site) {
            (Role::Internet, _) => Truth::NO,
            (_, Some(site)) => self.site_within(site, code),
            (_, None) => Truth::OPEN,
        };
        let nodes: Vec<Truth> = self.network.nodes.iter().map(truth).collect();
        let country = |crossed: &str| within(crossed, code);
        let segments = self.network.segments.iter().map(|s| self.all_ends(s, &nodes, &country)).collect();
        Truths { nodes, segments }
    }

    /// Whether a site is in a country or a part of one.
    fn site_within(&self, site: SiteId, code: &str) -> Truth {
        let jurisdiction = &self.network.sites[site.index()].jurisdiction;
        jurisdiction.as_ref().map_or(Truth::OPEN, |own| within(&own.value, code))
    }

    fn site(&self, site: SiteId) -> Truths {
        let truth = |node: &Node| match (&node.role, node.site) {
            (Role::Internet, _) => Truth::NO,
            (_, Some(own)) => Truth::from(own == site),
            (_, None) => Truth::OPEN,
        };
        let nodes: Vec<Truth> = self.network.nodes.iter().map(truth).collect();
        // A line that crosses a country stays at the site only if that is the country of the site.
        let own = self.network.sites[site.index()].jurisdiction.as_ref();
        let country = |crossed: &str| own.map_or(Truth::OPEN, |own| within(crossed, &own.value));
        let segments = self.network.segments.iter().map(|s| self.all_ends(s, &nodes, &country)).collect();
        Truths { nodes, segments }
    }

    /// Places by what their interfaces are, or by what a node is as a whole. A segment is so if any end is; a
    /// node if any interface is, but one that forwards only if all its addressed interfaces are.
    fn attribute(&self, is: impl Fn(&Interface) -> bool, whole: impl Fn(&Node) -> bool) -> Truths {
        let own = |node: &Node| {
            let mut interfaces = node.interfaces.iter().map(|id| self.network.interface(*id));
            let addressed = |interface: &&Interface| !interface.addresses.is_empty();
            let all = !node.role.is_trusted_by_default() || interfaces.clone().filter(addressed).all(&is);
            whole(node) || (all && interfaces.any(&is))
        };
        let nodes: Vec<bool> = self.network.nodes.iter().map(own).collect();
        let end = |id: InterfaceId| {
            let interface = self.network.interface(id);
            is(interface) || whole(self.network.node(interface.node))
        };
        let segments: Vec<bool> = self.network.segments.iter().map(|s| self.ends(s).any(end)).collect();
        let near = |node: &Node| {
            let attached = node.interfaces.iter().filter_map(|id| self.network.interface(*id).segment);
            attached.into_iter().any(|segment| segments[segment.index()])
        };
        let truth = |(node, own): (&Node, bool)| match node.existence {
            Existence::Described => Truth::from(own),
            Existence::Possible(_) => Truth { certain: false, possible: own || near(node) },
        };
        Truths {
            nodes: self.network.nodes.iter().zip(nodes).map(truth).collect(),
            segments: segments.into_iter().map(Truth::from).collect(),
        }
    }

    /// Places that own an address of a prefix, or can own one.
    fn owners(&self, net: IpNet) -> Truths {
        let wanted = AddressRange::prefix(net);
        let outside = self.network.undescribed_addresses();
        // What nobody described belongs to the internet; part of it may be anybody's.
        let internet = Truth {
            certain: outside.iter().any(|range| range.contains(wanted.low) && range.contains(wanted.high)),
            possible: outside.iter().any(|range| overlap(range, &wanted)),
        };
        let interfaces = |ids: &'n [InterfaceId]| ids.iter().map(|id| self.network.interface(*id));
        let is_connected = |segment: &'n Segment| {
            interfaces(&segment.attached).any(|interface| connected(interface, &wanted))
        };
        let connected: Vec<bool> = self.network.segments.iter().map(is_connected).collect();
        let owns = |interface: &Interface| {
            let near = interface.segment.is_some_and(|segment| connected[segment.index()]);
            interface_owns(interface, &wanted, near)
        };
        let node_owns = |node: &'n Node| match (&node.role, node.existence) {
            (Role::Internet, _) => internet,
            (_, Existence::Possible(_)) => Truth::OPEN,
            (_, Existence::Described) => interfaces(&node.interfaces).map(owns).fold(Truth::NO, Truth::bitor),
        };
        let segment_owns = |(segment, connected): (&'n Segment, &bool)| {
            let attached =
                interfaces(&segment.attached).map(|interface| match self.network.node(interface.node).role {
                    Role::Internet => internet,
                    _ => owns(interface),
                });
            attached.fold(if *connected { Truth::OPEN } else { Truth::NO }, Truth::bitor)
        };
        Truths {
            nodes: self.network.nodes.iter().map(node_owns).collect(),
            segments: self.network.segments.iter().zip(&connected).map(segment_owns).collect(),
        }
    }
}

/// Whether an interface has an address of the range. `near` says whether its segment has a prefix that overlaps
/// it: an interface without an address may have any of those. One that runs IPv6 has a link-local address, and
/// without a declared address one by a router's advertisement (SEMANTICS.md section 3.5).
fn interface_owns(interface: &Interface, wanted: &AddressRange, near: bool) -> Truth {
    if interface.addresses.iter().any(|address| wanted.contains(address.net.addr())) {
        return Truth::YES;
    }
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    let link_local = IpNet::new(link_local.into(), 10).map(AddressRange::prefix);
    let runs_v6 = interface.segment.is_some() && interface.ipv6 != Fact::No && wanted.low.is_ipv6();
    let advertised = !interface.addresses.iter().any(|address| address.net.addr().is_ipv6());
    let by_v6 = runs_v6 && (advertised || link_local.is_ok_and(|range| overlap(&range, wanted)));
    let by_segment = near && interface.addresses.is_empty();
    if by_v6 || by_segment { Truth::OPEN } else { Truth::NO }
}

/// Whether a prefix of an interface overlaps the range, so that somebody on its segment may own an address.
fn connected(interface: &Interface, wanted: &AddressRange) -> bool {
    let mut prefixes = interface.addresses.iter().map(|address| AddressRange::prefix(address.net.trunc()));
    prefixes.any(|prefix| overlap(&prefix, wanted))
}

fn overlap(a: &AddressRange, b: &AddressRange) -> bool {
    a.family() == b.family() && a.low <= b.high && b.low <= a.high
}

/// Whether what is in one country, or part of one, is in another: `US-CA` is in `US`; what is in `US` may be in
/// `US-CA`.
fn within(own: &str, wanted: &str) -> Truth {
    let part_of = |part: &str, whole: &str| {
        part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    if part_of(own, wanted) {
        return Truth::YES;
    }
    if part_of(wanted, own) { Truth::OPEN } else { Truth::NO }
}
