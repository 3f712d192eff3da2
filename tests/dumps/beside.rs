//! A device's files beside the description: what is missing is open, what contradicts is refused.

use super::{files, network, show};
use isoaudit::model::Existence;

/// The keys of `config` for a folder, without some and with others.
fn without(folder: &str, keys: &[&str], instead: &str) -> String {
    let all = files(folder);
    let kept: Vec<&str> =
        all.split(", ").filter(|one| !keys.iter().any(|key| one.starts_with(key))).collect();
    [kept.join(", ").as_str(), instead].join(if instead.is_empty() { "" } else { ", " })
}

/// What is not known about the network of a configuration, and whether the node may do anything.
fn open(config: &str) -> (Vec<String>, bool) {
    let network = network(config, "").unwrap();
    let double = network.nodes.iter().any(|node| {
        node.name == "whatever fw makes of packets" && matches!(node.existence, Existence::Possible(_))
    });
    (network.unknowns.iter().map(|unknown| unknown.what.clone()).collect(), double)
}

#[test]
fn exotic_routes_rules_and_addresses() {
    let config = files("exotic")
        .replace("iptables-save.txt", "legacy.v4")
        .replace("ip6tables: exotic/ip6tables-save.txt", "ip6tables: exotic/legacy.v6")
        .replace("exotic/iplegacy.v4", "exotic/legacy.v4")
        .replace("ip6legacy.v4", "legacy.v6");
    let network = network(&config, "").unwrap();
    let nodes: Vec<String> = network.nodes.iter().map(|node| show::node(&network, node)).collect();
    insta::assert_snapshot!("exotic-nodes", nodes.join("\n"));
}

#[test]
fn a_missing_file_is_unknown_and_none_is_not() {
    let (all, _) = open(&without("ferm", &[], ""));
    for (key, what, havoc) in [
        ("iptables:", "which IPv4 packets iptables filters", true),
        ("ip6tables:", "which IPv6 packets iptables filters", true),
        ("nftables:", "what nftables does beside iptables", true),
        ("rules:", "which rules choose IPv4 routes", true),
        ("rules6:", "which rules choose IPv6 routes", true),
    ] {
        let (unknowns, double) = open(&without("ferm", &[key], ""));
        assert!(unknowns.iter().any(|one| one == what), "{key} {unknowns:?}");
        assert_eq!(double, havoc, "{key}");
        assert!(!all.iter().any(|one| one == what), "{key}");
    }
    // The tables of iptables-nft are in the dump of nftables too, where extensions are names.
    let (unknowns, double) = open(&without("ufw", &["iptables:"], "iptables: none"));
    let extension = "what `{\"xt\": {\"type\": \"match\", \"name\": \"conntrack\"}}` matches";
    assert!(!double && unknowns.iter().any(|one| one == extension), "{unknowns:?}");
    let (unknowns, double) = open(&without("ferm", &["rules:"], "rules: none"));
    assert!(!double && !unknowns.iter().any(|one| one.starts_with("which rules")), "{unknowns:?}");
    let (unknowns, double) = open(&without("ferm", &["routes:"], ""));
    assert!(double && unknowns.iter().any(|one| one == "which IPv4 routes the node has"), "{unknowns:?}");
}

#[test]
fn nothing_of_ipv6_is_missing_where_it_does_not_run() {
    let config = without("ufw", &["ip6tables:", "rules6:"], "");
    let network = network(&config, "    ipv6: off\n").unwrap();
    assert!(network.nodes.iter().all(|node| !node.name.starts_with("whatever")));
}

#[test]
fn what_contradicts_the_files_is_an_error() {
    let cases = [
        ("    interfaces: { eth9: {} }\n", "`eth9` is not in the dump of the node's interfaces"),
        ("    interfaces: { lan0: { ipv4: 10.9.0.1/24 } }\n", "`lan0` does not have the address 10.9.0.1/24"),
        ("    gateway: 203.0.113.1\n", "the IPv4 routes of the node come from its dump"),
        (
            "    routes: [{ to: 10.9.0.0/16, blackhole: true }]\n",
            "the IPv4 routes of the node come from its dump",
        ),
        ("    forwarding: off\n", "`forwarding` of `fw` is declared `off`, but its own files say `on`"),
        (
            "    interfaces: { lan0: { antispoof: loose } }\n",
            "declared `loose`, but its own files say `strict`",
        ),
    ];
    for (more, expected) in cases {
        let errors = network(&files("ufw"), more).unwrap_err();
        assert!(errors.contains(expected), "{more}{errors}");
    }
    // The same words as the files are no contradiction.
    network(
        &files("ufw"),
        "    forwarding: on\n    interfaces: { lan0: { ipv4: 10.1.0.1/24, antispoof: strict } }\n",
    )
    .unwrap();
}

#[test]
fn files_that_cannot_be_read_are_errors_where_they_are_named() {
    for (config, expected) in [
        ("iptables: nowhere.txt", "topology.yaml:6:25: `nowhere.txt` cannot be read: no such file"),
        ("iptables: ../escape.txt", "the path leaves the directory of the topology"),
        ("iptables: ufw", "not a regular file"),
        ("iptables: ufw/ip-addr.json", "ufw/ip-addr.json:1:1: this is not a line of `iptables-save`"),
        ("addresses: none", "`addresses` cannot be `none`"),
        (
            "ip6tables: ufw/iptables-save.txt",
            "ufw/iptables-save.txt:1:1: this dump is not one of `ip6tables-save`",
        ),
        ("sysctl: ufw/ip-rule.json", "expected `key = value`"),
    ] {
        let errors = network(config, "").unwrap_err();
        assert!(errors.contains(expected), "{config}: {errors}");
    }
}
