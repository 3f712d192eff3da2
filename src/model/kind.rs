//! What each kind of operating system does unless a device's own files say otherwise (SEMANTICS.md section
//! 7).
//!
//! Only what the walk depends on and what the description does not have to say is here. Everything that a
//! distribution commonly changes (`rp_filter`, forwarding, IPv6) is not: it is declared, dumped, or unknown.

use super::network::Kind;

/// A default of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindDefault {
    /// The setting, as the system calls it.
    pub setting: &'static str,
    /// What it means for the walk, as a clause: "source routes are refused".
    pub effect: &'static str,
    /// Where that is documented.
    pub source: &'static str,
}

/// The row of a kind.
#[derive(Debug, Clone, Copy)]
pub struct KindRow {
    /// The word of the description.
    pub word: &'static str,
    /// Whether it honours IP source routing unless its files say so.
    pub source_routing: bool,
    /// Whether it forwards multicast unless its files say so.
    pub multicast_forwarding: bool,
    /// Every default that verdicts rest on.
    pub defaults: &'static [KindDefault],
}

/// Every kind that has a table.
pub const KINDS: &[KindRow] = &[KindRow {
    word: "linux",
    source_routing: false,
    multicast_forwarding: false,
    defaults: &[
        KindDefault {
            setting: "net.ipv4.conf.all.accept_source_route = 0",
            effect: "IPv4 source routes are refused",
            source: "Linux ip-sysctl: `all` and the interface must both allow it; RFC 7126 section 4.3",
        },
        KindDefault {
            setting: "net.ipv6.conf.*.accept_source_route = 0",
            effect: "IPv6 routing headers of type 0 are refused",
            source: "Linux ip-sysctl; RFC 5095 section 3",
        },
        KindDefault {
            setting: "net.ipv4.conf.all.mc_forwarding = 0",
            effect: "multicast is not forwarded",
            source: "Linux ip-sysctl: set by a multicast routing daemon only; ip-mroute(8)",
        },
        KindDefault {
            setting: "net.ipv4.conf.all.bc_forwarding = 0",
            effect: "directed broadcasts are not forwarded",
            source: "Linux ip-sysctl; RFC 2644 section 2",
        },
    ],
}];

/// The row of a word, if it has a table.
pub fn row(word: &str) -> Option<&'static KindRow> {
    KINDS.iter().find(|row| row.word == word)
}

impl Kind {
    /// The kind of a word; a word without a table is an unknown kind (SEMANTICS.md section 3.1).
    pub fn of_word(word: &str) -> Kind {
        match row(word) {
            Some(_) => Kind::Linux,
            None => Kind::Unknown(word.to_owned()),
        }
    }

    /// Its row, if it has a table.
    pub fn row(&self) -> Option<&'static KindRow> {
        match self {
            Kind::Linux => row("linux"),
            Kind::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_and_a_reason_for_each_default() {
        for known in KINDS {
            assert_ne!(Kind::of_word(known.word), Kind::Unknown(known.word.to_owned()));
            assert_eq!(Kind::of_word(known.word).row().map(|row| row.word), Some(known.word));
            for default in known.defaults {
                assert!(!default.source.is_empty() && !default.effect.ends_with('.'), "{default:?}");
            }
        }
        assert_eq!(Kind::of_word("vyos"), Kind::Unknown("vyos".to_owned()));
        assert!(Kind::Unknown(String::new()).row().is_none());
    }
}
