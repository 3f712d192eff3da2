//! The options of iptables and the matches of iptables-extensions(8), as data: the reader looks here what it reads,
//! and [`mod@super::coverage`] writes the document of it.

use crate::header::proto;

/// An option of iptables itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Core {
    Protocol,
    Source,
    Destination,
    Incoming,
    Outgoing,
    Fragment,
    Match,
    Jump,
    Goto,
    Counters,
}

/// The options of iptables itself: how they are written, what to know about them, and which values are not understood.
pub(super) const CORE: &[(&[&str], Core, &str, &str)] = &[
    (
        &["-p", "--protocol"],
        Core::Protocol,
        "by number or name",
        "extension headers of IPv6 as a protocol, names of no protocol",
    ),
    (&["-s", "--source", "--src"], Core::Source, "", HOSTS),
    (&["-d", "--destination", "--dst"], Core::Destination, "", HOSTS),
    (&["-i", "--in-interface"], Core::Incoming, "with `+`", INTERFACES),
    (&["-o", "--out-interface"], Core::Outgoing, "with `+`", INTERFACES),
    (&["-f", "--fragment"], Core::Fragment, "IPv4", ""),
    (&["-m", "--match"], Core::Match, "the next table", ""),
    (&["-j", "--jump"], Core::Jump, "chains, and the targets below", ""),
    (&["-g", "--goto"], Core::Goto, "", ""),
    (&["-c", "--set-counters"], Core::Counters, "matches nothing", ""),
];

const HOSTS: &str = "host names, masks with holes";
const INTERFACES: &str =
    "interfaces of a VRF, and chains that are used where there is such an interface and where there is none";

/// The option of iptables itself that a word is.
pub(super) fn core(word: &str) -> Option<Core> {
    CORE.iter().find(|(names, ..)| names.contains(&word)).map(|(_, core, ..)| *core)
}

/// Which port is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    Source,
    Destination,
    Either,
}

/// How an option of a match is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Port(Ports),
    Syn,
    TcpFlags,
    IcmpType,
    SourceRange,
    DestinationRange,
    State,
    SourceType,
    DestinationType,
    /// Read, since it makes the types of addresses beside it not understood.
    OwnInterface,
    Comment,
    Mark,
    Set,
    /// Not at all: it makes its match one that is not understood.
    Open,
}

/// Spellings of an option, and how it is read.
type Row = (&'static [&'static str], Reading);

/// A match.
#[derive(Debug)]
pub(super) struct Extension {
    /// Its name, and other names of it.
    pub(super) names: &'static [&'static str],
    /// Whether it is understood, apart from options that are not.
    pub(super) is_read: bool,
    /// The protocols of which `-p` must name one; none if it does not matter.
    pub(super) needs: &'static [u8],
    /// Whether it loads the connection tracker.
    pub(super) tracks: bool,
    pub(super) options: &'static [Row],
    pub(super) note: &'static str,
    /// Values of its options that are not understood.
    pub(super) limits: &'static str,
}

/// Protocols with ports, for `-m tcp` and the like and for `-m multiport`.
pub(super) const WITH_PORTS: &[u8] = &[proto::TCP, proto::UDP, proto::SCTP, proto::DCCP, proto::UDPLITE];

const SPORT: Row = (&["--sport", "--source-port"], Reading::Port(Ports::Source));
const DPORT: Row = (&["--dport", "--destination-port"], Reading::Port(Ports::Destination));

const fn read(names: &'static [&'static str], needs: &'static [u8], options: &'static [Row]) -> Extension {
    Extension { names, is_read: true, needs, tracks: false, options, note: "", limits: "" }
}

const fn open(name: &'static [&'static str], note: &'static str) -> Extension {
    Extension { names: name, is_read: false, needs: &[], tracks: false, options: &[], note, limits: "" }
}

const fn open_tracking(name: &'static [&'static str], note: &'static str) -> Extension {
    Extension { tracks: true, ..open(name, note) }
}

const NO_FIELD: &str = "no field of the model";
const TIMES: &str = "what it says changes with time or traffic";
const HEADERS: &str = "headers of IPv6 before the last";
const TYPES_BY_NAME: &str = "names that iptables 1.8 does not have";
const PORTS_BY_NAME: &str = "ports by name";

/// Every match.
pub(super) const EXTENSIONS: &[Extension] = &[
    Extension {
        note: "as the addresses of the device and the `local` table of `routes` say",
        limits: "types of routes (BLACKHOLE, …); of IPv6, ANYCAST and several types together; own addresses of a VRF",
        ..read(
            &["addrtype"],
            &[],
            &[
                (&["--src-type"], Reading::SourceType),
                (&["--dst-type"], Reading::DestinationType),
                (&["--limit-iface-in", "--limit-iface-out"], Reading::OwnInterface),
            ],
        )
    },
    open(&["ah"], NO_FIELD),
    open(&["bpf"], "a program"),
    open(&["cgroup"], "which process sends"),
    open(&["cluster"], "a hash of the source"),
    read(&["comment"], &[], &[(&["--comment"], Reading::Comment)]),
    open_tracking(&["connbytes"], TIMES),
    open_tracking(&["connlabel"], "labels of connections"),
    open_tracking(&["connlimit"], TIMES),
    Extension {
        tracks: true,
        limits: "in the table `raw`; marks that something sets in a way that is not understood",
        ..read(&["connmark"], &[], &[(&["--mark"], Reading::Mark)])
    },
    Extension {
        tracks: true,
        ..read(
            &["conntrack"],
            &[],
            &[
                (&["--ctstate"], Reading::State),
                (&["--ctproto", "--ctstatus", "--ctexpire", "--ctdir"], Reading::Open),
                (&["--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst"], Reading::Open),
                (
                    &["--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport", "--ctrepldstport"],
                    Reading::Open,
                ),
            ],
        )
    },
    open(&["cpu"], "which processor works on it"),
    Extension {
        limits: PORTS_BY_NAME,
        ..read(
            &["dccp"],
            &[proto::DCCP],
            &[SPORT, DPORT, (&["--dccp-types", "--dccp-option"], Reading::Open)],
        )
    },
    open(&["devgroup"], "groups of interfaces"),
    open(&["dscp"], NO_FIELD),
    open(&["dst"], HEADERS),
    open(&["ecn"], NO_FIELD),
    open(&["esp"], NO_FIELD),
    open(&["eui64"], "addresses of Ethernet"),
    open(&["frag"], HEADERS),
    open(&["hashlimit"], TIMES),
    open(&["hbh"], HEADERS),
    open_tracking(&["helper"], "which helper expected it"),
    open(&["hl"], NO_FIELD),
    Extension {
        limits: TYPES_BY_NAME,
        ..read(&["icmp"], &[proto::ICMP], &[(&["--icmp-type"], Reading::IcmpType)])
    },
    Extension {
        limits: TYPES_BY_NAME,
        ..read(&["icmp6", "icmpv6"], &[proto::ICMPV6], &[(&["--icmpv6-type"], Reading::IcmpType)])
    },
    open(&["ipcomp"], NO_FIELD),
    Extension {
        limits: "host names",
        ..read(
            &["iprange"],
            &[],
            &[(&["--src-range"], Reading::SourceRange), (&["--dst-range"], Reading::DestinationRange)],
        )
    },
    open(&["ipv6header"], HEADERS),
    open(&["ipvs"], "connections of a load balancer"),
    open(&["length"], NO_FIELD),
    open(&["limit"], TIMES),
    open(&["mac"], "addresses of Ethernet"),
    Extension {
        limits: "marks that something sets in a way that is not understood",
        ..read(&["mark"], &[], &[(&["--mark"], Reading::Mark)])
    },
    open(&["mh"], "types of mobility headers"),
    Extension {
        limits: PORTS_BY_NAME,
        ..read(
            &["multiport"],
            WITH_PORTS,
            &[
                (&["--sports", "--source-ports"], Reading::Port(Ports::Source)),
                (&["--dports", "--destination-ports"], Reading::Port(Ports::Destination)),
                (&["--ports"], Reading::Port(Ports::Either)),
            ],
        )
    },
    open(&["nfacct"], TIMES),
    open(&["osf"], "a guess at the sender's system"),
    open(&["owner"], "which process sends"),
    open(&["physdev"], "ports of a bridge"),
    open(&["pkttype"], NO_FIELD),
    open(&["policy"], "IPsec"),
    open(&["quota"], TIMES),
    open(&["rateest"], TIMES),
    open(&["realm"], "realms of routes"),
    open(&["recent"], TIMES),
    open(&["rpfilter"], "whether a route leads back"),
    open(&["rt"], HEADERS),
    Extension {
        limits: PORTS_BY_NAME,
        ..read(&["sctp"], &[proto::SCTP], &[SPORT, DPORT, (&["--chunk-types"], Reading::Open)])
    },
    Extension {
        note: "as the sets in `ipset` say (below)",
        limits: "sets of a device without `ipset`",
        ..read(
            &["set"],
            &[],
            &[
                (&["--match-set", "--return-nomatch"], Reading::Set),
                (&["--update-counters", "--update-subcounters"], Reading::Set),
                (SET_COUNTERS, Reading::Open),
            ],
        )
    },
    open(&["socket"], "which process listens"),
    open(&["srh"], HEADERS),
    Extension { tracks: true, ..read(&["state"], &[], &[(&["--state"], Reading::State)]) },
    open(&["statistic"], "chance"),
    open(&["string"], "the payload"),
    Extension {
        limits: PORTS_BY_NAME,
        ..read(
            &["tcp"],
            &[proto::TCP],
            &[
                SPORT,
                DPORT,
                (&["--syn"], Reading::Syn),
                (&["--tcp-flags"], Reading::TcpFlags),
                (&["--tcp-option"], Reading::Open),
            ],
        )
    },
    open(&["tcpmss"], NO_FIELD),
    open(&["time"], TIMES),
    open(&["tos"], NO_FIELD),
    open(&["ttl"], NO_FIELD),
    open(&["u32"], "any bytes"),
    Extension { limits: PORTS_BY_NAME, ..read(&["udp"], &[proto::UDP, proto::UDPLITE], &[SPORT, DPORT]) },
    Extension { limits: PORTS_BY_NAME, ..read(&["udplite"], &[proto::UDPLITE], &[SPORT, DPORT]) },
];

/// Options of `-m set` that ask for the counters of an element.
pub(super) const SET_COUNTERS: &[&str] =
    &["--packets-eq", "--packets-lt", "--packets-gt", "--bytes-eq", "--bytes-lt", "--bytes-gt"];

/// The match of a name.
pub(super) fn extension(name: &str) -> Option<&'static Extension> {
    EXTENSIONS.iter().find(|extension| extension.names.contains(&name))
}

impl Reading {
    /// Whether what such an option asks is understood.
    pub(super) fn is_understood(self) -> bool {
        !matches!(self, Reading::Open | Reading::OwnInterface)
    }
}

/// How an option of some match is read.
pub(super) fn reading(option: &str) -> Option<Reading> {
    let rows = EXTENSIONS.iter().flat_map(|extension| extension.options);
    rows.filter(|(names, _)| names.contains(&option)).map(|(_, reading)| *reading).next()
}

/// Whether a match loads the connection tracker.
pub(in crate::input::dump) fn tracks(name: &str) -> bool {
    extension(name).is_some_and(|found| found.tracks)
}
