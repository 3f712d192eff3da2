//! The keys of a description: one table for each object.

use super::scalar::{Country, End, InterfaceAddress, PathText, PlainAddress, TagNumber, Target, Version};
use super::variant::{Assume, Ipv6, Labels, PolicyName, PolicyPlace, TagList};
use crate::claim::{Direction, Means, Severity};
use crate::input::decode::{Flag, List, Many, Map, Name, Text, object, words};
use crate::source::Spanned;

object! {
    /// A description of a network with the claims about it.
    Document ("the description", "description") {
        version: Version = "isoaudit", required, "the version of this format, `1`";
        name: Text<'t> = "name", optional, "what reports call the network";
        include: List<'t, PathText<'t>> = "include", optional, "further files, merged into this one; a name may be given once only";
        cabling: Spanned<Cabling> = "cabling", optional, "`complete`: the links are all there are; `unknown`: any two unlinked interfaces may be wired together";
        sites: Map<'t, Site<'t>> = "sites", optional, "where things physically are";
        zones: Map<'t, Zone<'t>> = "zones", optional, "purposes that interfaces share";
        vlans: Map<'t, Vlan<'t>> = "vlans", optional, "names for VLAN tags";
        vrfs: Map<'t, Vrf<'t>> = "vrfs", optional, "names for separate routing tables";
        groups: Map<'t, Profile<'t>> = "groups", optional, "facts that nodes share; a node's own win, those of `defaults` lose";
        defaults: Profile<'t> = "defaults", optional, "facts of every node that neither says otherwise nor has a group that does";
        assume: Assume<'t> = "assume", optional, "what is set aside by name, each with its reason";
        nodes: Map<'t, Node<'t>> = "nodes", optional, "the devices";
        links: List<'t, Link<'t>> = "links", optional, "which interfaces share a wire";
        tunnels: Map<'t, Tunnel<'t>> = "tunnels", optional, "links that other links carry";
        claims: List<'t, Claim<'t>> = "claims", optional, "what is stated about the network";
    }
    refused {
        "services": "services on nodes",
        "relations": "who controls, administers or relays for what",
        "keystores": "where keys are kept",
        "data": "where data are kept",
        "geo": "places by coordinates or address blocks",
        "mgmt": "a shared management network; write its interfaces and links",
    }
}

object! {
    /// A place on earth.
    Site ("a site", "site") {
        jurisdiction: Country<'t> = "jurisdiction", optional, "the country, by ISO 3166-1 alpha-2, or the part of one, by ISO 3166-2";
    }
}

object! {
    /// A purpose that interfaces share.
    Zone ("a zone", "zone") {
        plane: Name<'t> = "plane", optional, "what kind of traffic it carries, such as `management`";
        labels: Labels<'t> = "labels", optional, "words for selectors, by key";
    }
}

object! {
    /// A name for a VLAN tag. Domains of the same tag that are not connected are different segments.
    Vlan ("a VLAN", "vlan") {
        id: TagNumber = "id", required, "the tag, 1 to 4094";
    }
}

object! {
    /// A name for a separate routing table.
    Vrf ("a VRF", "vrf") {}
}

object! {
    /// Facts that several nodes share.
    Profile ("a group", "profile") {
        role: Name<'t> = "role", optional, "the function: `router`, `firewall` and `gateway` forward, `switch` bridges, any other word does not";
        site: Name<'t> = "site", optional, "where the node stands";
        kind: Name<'t> = "kind", optional, "the network operating system; `linux` is known";
        labels: Labels<'t> = "labels", optional, "words for selectors, by key";
        policy: PolicyPlace<'t> = "policy", optional, "the file whose `policy NODE` binds the node, or `{ file, name }`";
        interfaces: InterfaceFacts<'t> = "interfaces", optional, "facts of every interface";
        routes: List<'t, Route<'t>> = "routes", optional, "static routes";
        gateway: Many<'t, PlainAddress> = "gateway", optional, "the next hop of the default route, one for each family";
        forwarding: Spanned<Switch> = "forwarding", optional, "whether the node forwards packets";
        ipv6: Spanned<Switch> = "ipv6", optional, "whether IPv6 runs on interfaces without a declared IPv6 address";
    }
}

object! {
    /// Facts of every interface of the nodes.
    InterfaceFacts ("facts of interfaces", "interface-facts") {
        antispoof: Spanned<AntispoofWord> = "antispoof", optional, "what happens to sources that the routes do not expect";
    }
}

object! {
    /// A device.
    Node ("a node", "node") {
        role: Name<'t> = "role", optional, "the function: `router`, `firewall` and `gateway` forward, `switch` bridges, any other word does not";
        site: Name<'t> = "site", optional, "where it stands";
        kind: Name<'t> = "kind", optional, "the network operating system; `linux` is known";
        labels: Labels<'t> = "labels", optional, "words for selectors, by key";
        group: Name<'t> = "group", optional, "the group whose facts it has unless it says otherwise";
        policy: PolicyPlace<'t> = "policy", optional, "the file whose `policy NODE` binds it, or `{ file, name }`";
        config: Config<'t> = "config", optional, "the device's own files, in place of our words";
        interfaces: Map<'t, Interface<'t>> = "interfaces", optional, "its interfaces";
        routes: List<'t, Route<'t>> = "routes", optional, "static routes";
        gateway: Many<'t, PlainAddress> = "gateway", optional, "the next hop of the default route, one for each family";
        forwarding: Spanned<Switch> = "forwarding", optional, "whether it forwards packets";
        ipv6: Spanned<Switch> = "ipv6", optional, "whether IPv6 runs on interfaces without a declared IPv6 address";
    }
}

object! {
    /// A device's own files. `none` declares that one is empty; one that is not named is unknown.
    Config ("a config", "config") {
        iptables: ConfigFile<'t> = "iptables", optional, "`iptables-save`";
        ip6tables: ConfigFile<'t> = "ip6tables", optional, "`ip6tables-save`";
        ipset: ConfigFile<'t> = "ipset", optional, "`ipset save`";
        nftables: ConfigFile<'t> = "nftables", optional, "`nft -j list ruleset`";
        addresses: ConfigFile<'t> = "addresses", optional, "`ip -j addr`";
        routes: ConfigFile<'t> = "routes", optional, "`ip -j route show table all`";
        routes6: ConfigFile<'t> = "routes6", optional, "`ip -6 -j route show table all`";
        rules: ConfigFile<'t> = "rules", optional, "`ip -j rule`";
        rules6: ConfigFile<'t> = "rules6", optional, "`ip -6 -j rule`";
        sysctl: ConfigFile<'t> = "sysctl", optional, "`sysctl -a`";
    }
}

/// A dump's path, or `none`.
pub(crate) type ConfigFile<'t> = PathText<'t>;

object! {
    /// An interface.
    Interface ("an interface", "interface") {
        ipv4: Many<'t, InterfaceAddress<false>> = "ipv4", optional, "its IPv4 addresses, each with a length";
        ipv6: Ipv6<'t> = "ipv6", optional, "its IPv6 addresses, each with a length, or `off`";
        labels: Labels<'t> = "labels", optional, "words for selectors, by key";
        zone: Name<'t> = "zone", optional, "its zone";
        vlan: Name<'t> = "vlan", optional, "the VLAN of a tagged sub-interface, or of a switch's own address";
        vrf: Name<'t> = "vrf", optional, "its routing table, if it is not the main one";
        policy_in: PolicyName<'t> = "policy-in", optional, "the list for what it receives, by name";
        policy_out: PolicyName<'t> = "policy-out", optional, "the list for what it sends, by name";
        trunk: TagList<'t> = "trunk", optional, "the VLANs that it carries tagged, or `auto` if the other end may choose";
        access: Name<'t> = "access", optional, "the VLAN that it carries untagged";
        native: Name<'t> = "native", optional, "the VLAN that a trunk carries untagged";
        antispoof: Spanned<AntispoofWord> = "antispoof", optional, "what happens to sources that the routes do not expect";
    }
}

object! {
    /// A static route: to one or several next hops, or to nowhere.
    Route ("a route", "route") {
        to: Spanned<Target> = "to", required, "the destinations: a prefix, or `default`";
        via: Many<'t, PlainAddress> = "via", optional, "the next hop; several are equal in cost";
        blackhole: Flag = "blackhole", optional, "whether it drops without a word";
        unreachable: Flag = "unreachable", optional, "whether it drops and answers the source";
        vrf: Name<'t> = "vrf", optional, "the routing table, if it is not the main one";
    }
}

object! {
    /// A wire, or a segment with more than two ends.
    Link ("a link", "link") {
        endpoints: List<'t, Spanned<End<'t>>> = "endpoints", required, "its ends: `node:interface`, or `internet`";
        transit: List<'t, Country<'t>> = "transit", optional, "the countries that the line crosses";
    }
}

object! {
    /// A link that other links carry.
    Tunnel ("a tunnel", "tunnel") {
        encapsulation: Name<'t> = "encapsulation", required, "how packets are wrapped, such as `gre`";
        endpoints: List<'t, Spanned<End<'t>>> = "endpoints", required, "the interfaces at its two ends";
        outer: List<'t, PlainAddress> = "outer", optional, "the addresses of the outer packets, in the order of the ends";
    }
    refused { "keys": "encryption of tunnels", "authentication": "authentication of tunnels" }
}

object! {
    /// A statement about the network. It has exactly one kind.
    Claim ("a claim", "claim") {
        id: Name<'t> = "id", required, "its name";
        title: Text<'t> = "title", optional, "what it says, in words";
        isolated: Isolated<'t> = "isolated", optional, "nothing that `from` sends arrives in `to`";
        confined: Confined<'t> = "confined", optional, "what honest senders within send to each other stays within";
        only_via: OnlyVia<'t> = "only-via", optional, "whatever gets from `from` to `to` passes one of the doors";
        reachable: Reachable<'t> = "reachable", optional, "every pair can talk";
        severity: Spanned<Severity> = "severity", optional, "how bad it is if it breaks; `high` unless it is given";
        controls: List<'t, Text<'t>> = "controls", optional, "ids of the controls that it serves";
    }
    refused {
        "contained": "how far a breach spreads",
        "separate": "shared components, controllers and monitors",
        "custody": "who holds keys",
        "residency": "where data are",
        "readable": "who could read data",
        "depth": "how many faults break it",
        "layers": "which layers hold it",
        "until": "claims that expire",
    }
}

object! {
    /// Nothing that `from` sends arrives in `to`.
    Isolated ("an `isolated` claim", "isolated") {
        from: Text<'t> = "from", required, "selector of where the adversary stands";
        to: Text<'t> = "to", required, "selector of where nothing of it may arrive";
        except: List<'t, Except<'t>> = "except", optional, "flows that are set free";
        trusts: Text<'t> = "trusts", optional, "selector of the nodes of `from` that are not the adversary's";
        direction: Spanned<Direction> = "direction", optional, "`out` (from `from` to `to`), `in` or `both`";
        means: List<'t, Spanned<Means>> = "means", optional, "which ways are considered; all unless it is given";
    }
    refused { "encrypted-transit": "encryption of tunnels" }
}

object! {
    /// What honest senders within send to each other stays within.
    Confined ("a `confined` claim", "confined") {
        within: Text<'t> = "within", required, "selector of senders, receivers, and the only places on the way";
        except: List<'t, Except<'t>> = "except", optional, "flows that are set free";
        trusts: Text<'t> = "trusts", optional, "selector of the nodes within that are not the adversary's";
    }
    refused { "encrypted-transit": "encryption of tunnels" }
}

object! {
    /// Whatever gets from `from` to `to` passes one of the doors.
    OnlyVia ("an `only-via` claim", "only-via") {
        from: Text<'t> = "from", required, "selector of where the adversary stands";
        to: Text<'t> = "to", required, "selector of where things arrive";
        via: List<'t, Text<'t>> = "via", required, "the doors: `node:interface`, or `rule:POLICY/NAME`";
        except: List<'t, Except<'t>> = "except", optional, "flows that are set free";
        trusts: Text<'t> = "trusts", optional, "selector of the nodes of `from` that are not the adversary's";
    }
    refused { "encrypted-transit": "encryption of tunnels" }
}

object! {
    /// Every sender gets an answer from every receiver.
    Reachable ("a `reachable` claim", "reachable") {
        from: Text<'t> = "from", required, "selector of honest senders";
        to: Text<'t> = "to", required, "selector of whom each must reach";
        packets: Many<'t, Text<'t>> = "packets", optional, "the services; any unless it is given";
    }
}

object! {
    /// A flow that a claim sets free.
    Except ("an exception", "except") {
        from: Text<'t> = "from", required, "selector of whose addresses are the sources";
        to: Text<'t> = "to", required, "selector of whose addresses are the destinations";
        service: Many<'t, Text<'t>> = "service", optional, "the services; any unless it is given";
        replies: Spanned<Replies> = "replies", optional, "`allowed` also frees its replies and the ICMP errors about it";
    }
}

/// Whether the links are all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cabling {
    Complete,
    Unknown,
}
words!(Cabling, "`complete` or `unknown`", &[(Cabling::Complete, "complete"), (Cabling::Unknown, "unknown")]);

/// `on` or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}
words!(Switch, "`on` or `off`", &[(Switch::On, "on"), (Switch::Off, "off")]);

/// What is declared about strange sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AntispoofWord {
    Strict,
    Loose,
    Off,
}
words!(
    AntispoofWord,
    "`strict`, `loose` or `off`",
    &[(AntispoofWord::Strict, "strict"), (AntispoofWord::Loose, "loose"), (AntispoofWord::Off, "off")]
);

/// Whether the replies to a free flow are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replies {
    Allowed,
}
words!(Replies, "`allowed`", &[(Replies::Allowed, "allowed")]);

words!(Severity, "a severity", Severity::TABLE);
words!(
    Direction,
    "a direction",
    &[(Direction::Out, "out"), (Direction::In, "in"), (Direction::Both, "both")]
);
words!(Means, "a means", &[(Means::Packet, "packet"), (Means::Frame, "frame")]);
