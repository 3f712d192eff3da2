//! The types of sets (ipset(8), section SET TYPES), as data for the reader and for the document of what is modelled.

use crate::header::Family;
use crate::input::dump::coverage::{Row, Section, Standing, quoted};

/// A type of set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name.
    pub(super) name: &'static str,
    /// What an element consists of; empty where that is not understood.
    pub(super) dimensions: &'static [Dimension],
    /// Whether elements lie in the range that `create` names.
    pub(super) is_bitmap: bool,
    /// Whether `netmask` rounds addresses of elements and packets alike.
    pub(super) takes_netmask: bool,
    /// Which packets such a set can match.
    pub(super) families: Families,
    /// What the document says about it.
    pub(super) note: &'static str,
    /// Which sets of the type are not understood.
    pub(super) limits: &'static str,
}

/// The families of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Families {
    /// That of the option `family`, IPv4 without it.
    Named,
    /// Always one.
    Only(Family),
    /// Both at once.
    Both,
}

/// Part of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    /// An address.
    Address,
    /// A prefix, which may be an exception.
    Net,
    /// A protocol with a port.
    Port,
    /// A port of TCP or UDP.
    BarePort,
    /// The name of another set.
    Member,
}

impl Dimension {
    /// Whether it lies beyond the IP header.
    pub(super) fn is_port(self) -> bool {
        matches!(self, Dimension::Port | Dimension::BarePort)
    }

    /// Whether it is an address or a prefix.
    pub(super) fn is_address(self) -> bool {
        matches!(self, Dimension::Address | Dimension::Net)
    }
}

const fn kind(name: &'static str, dimensions: &'static [Dimension], note: &'static str) -> Kind {
    Kind {
        name,
        dimensions,
        is_bitmap: false,
        takes_netmask: false,
        families: Families::Named,
        note,
        limits: "",
    }
}

use Dimension::{Address, BarePort, Member, Net, Port};

const NETS: &str = "with `nomatch`: the longest prefix decides";
const MANY_BOXES: &str = "more than 4096 combinations of ports and addresses: open within their addresses";
const TWO_NETS: &str = "sets with `nomatch` among their elements, or of more than 4096 combinations: open within their addresses";
const FOREIGN: &str = "what it asks is no field of the model";

/// All types.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        is_bitmap: true,
        takes_netmask: true,
        families: Families::Only(Family::V4),
        ..kind("bitmap:ip", &[Address], "with `range`, `netmask`")
    },
    Kind {
        is_bitmap: true,
        families: Families::Both,
        ..kind("bitmap:port", &[BarePort], "TCP and UDP, with `range`")
    },
    Kind { takes_netmask: true, ..kind("hash:ip", &[Address], "with `netmask`") },
    kind("hash:net", &[Net], NETS),
    Kind {
        takes_netmask: true,
        limits: MANY_BOXES,
        ..kind("hash:ip,port", &[Address, Port], "with `netmask`")
    },
    Kind { limits: MANY_BOXES, ..kind("hash:net,port", &[Net, Port], NETS) },
    Kind { limits: MANY_BOXES, ..kind("hash:ip,port,ip", &[Address, Port, Address], "") },
    Kind { limits: MANY_BOXES, ..kind("hash:ip,port,net", &[Address, Port, Net], NETS) },
    Kind { limits: TWO_NETS, ..kind("hash:net,net", &[Net, Net], "") },
    Kind { limits: TWO_NETS, ..kind("hash:net,port,net", &[Net, Port, Net], "") },
    Kind { families: Families::Both, ..kind("list:set", &[Member], "members are sets, but no lists") },
    Kind { families: Families::Both, ..kind("hash:mac", &[], FOREIGN) },
    kind("hash:ip,mac", &[], FOREIGN),
    kind("hash:ip,mark", &[], FOREIGN),
    Kind { is_bitmap: true, families: Families::Only(Family::V4), ..kind("bitmap:ip,mac", &[], FOREIGN) },
    kind("hash:net,iface", &[], "which of several elements holds depends on the interface"),
];

/// The types as rows of the document.
pub(in crate::input::dump) fn coverage() -> Section {
    let words = |options: &'static [(&'static str, Takes)]| options.iter().map(|(name, _)| *name);
    let options = |name: &str, read: Vec<&'static str>, note: &str| {
        Row::of(quoted(&[name]), read, Vec::new(), "any other option").noting([note])
    };
    let mut rows: Vec<Row> = KINDS.iter().map(row).collect();
    let dynamic = "a set with `timeout` certainly has its permanent elements only, and may have any other";
    rows.push(options("create", words(CREATE_OPTIONS).collect(), dynamic));
    rows.push(options("add", words(ADD_OPTIONS).collect(), dynamic));
    Section {
        title: "ipset: types of sets",
        intro: "`-m set` asks for them. A set that a `SET` target of the device adds to or deletes from is not understood.",
        rows,
    }
}

fn row(kind: &Kind) -> Row {
    let row = Row::of(quoted(&[kind.name]), Vec::new(), Vec::new(), kind.limits).noting([kind.note]);
    if kind.dimensions.is_empty() { row.standing(Standing::NotUnderstood) } else { row }
}

/// How many words follow an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// None.
    Nothing,
    /// One, which says nothing about what matches.
    Anything,
    /// One that the reader looks at.
    Value,
}

/// The options of `create`.
pub(super) const CREATE_OPTIONS: &[(&str, Takes)] = &[
    ("family", Takes::Value),
    ("netmask", Takes::Value),
    ("range", Takes::Value),
    ("timeout", Takes::Value),
    ("hashsize", Takes::Anything),
    ("maxelem", Takes::Anything),
    ("bucketsize", Takes::Anything),
    ("initval", Takes::Anything),
    ("size", Takes::Anything),
    ("probes", Takes::Anything),
    ("resize", Takes::Anything),
    ("gc", Takes::Anything),
    ("markmask", Takes::Anything),
    ("counters", Takes::Nothing),
    ("comment", Takes::Nothing),
    ("skbinfo", Takes::Nothing),
    ("forceadd", Takes::Nothing),
];

/// The options of `add`.
pub(super) const ADD_OPTIONS: &[(&str, Takes)] = &[
    ("timeout", Takes::Value),
    ("nomatch", Takes::Nothing),
    ("comment", Takes::Anything),
    ("packets", Takes::Anything),
    ("bytes", Takes::Anything),
    ("skbmark", Takes::Anything),
    ("skbprio", Takes::Anything),
    ("skbqueue", Takes::Anything),
    ("before", Takes::Anything),
    ("after", Takes::Anything),
];
