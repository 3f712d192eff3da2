//! Expressions and statements that are understood, from what nft prints to the rules of the model.

use super::{ACCEPT, matching, payload, rules};

/// The one rule that a match of a table makes, without its `accept`.
fn one(family: &str, matches: &str) -> String {
    let made = rules(family, "", &format!("{matches}{ACCEPT}"));
    assert_eq!(made.len(), 1, "{made:?}");
    made[0].strip_suffix("accept").unwrap().trim_end().to_owned()
}

#[test]
fn addresses_are_of_one_family_even_if_negated() {
    let source = |op: &str, right: &str| one("inet", &payload("ip", "saddr", op, right));
    assert_eq!(source("==", "\"10.0.0.1\""), "IPv4 src=10.0.0.1");
    let net = r#"{"prefix": {"addr": "10.0.0.0", "len": 8}}"#;
    assert_eq!(source("==", net), "IPv4 src=10.0.0.0-10.255.255.255");
    assert_eq!(source("!=", net), "IPv4 src=0.0.0.0-9.255.255.255,11.0.0.0-255.255.255.255");
    assert_eq!(source("==", r#"{"range": ["10.0.0.3", "10.0.0.9"]}"#), "IPv4 src=10.0.0.3-10.0.0.9");
    assert_eq!(source("<", "\"10.0.0.0\""), "IPv4 src=0.0.0.0-9.255.255.255");
    assert_eq!(source(">", "\"254.255.255.255\""), "IPv4 src=255.0.0.0-255.255.255.255");
    let set = format!(r#"{{"set": ["10.0.0.2", {net}, "1.1.1.1", "1.1.1.2"]}}"#);
    assert_eq!(source("==", &set), "IPv4 src=1.1.1.1-1.1.1.2,10.0.0.0-10.255.255.255");
    assert_eq!(source("!=", &set).matches("-").count(), 3);
    // In a table of one family no condition on the family is needed.
    assert_eq!(one("ip", &payload("ip", "daddr", "==", "\"10.0.0.1\"")), "dst=10.0.0.1");
    let six = payload("ip6", "daddr", "==", r#"{"prefix": {"addr": "fe80::", "len": 10}}"#);
    assert_eq!(one("inet", &six), "IPv6 dst=fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    let masked = r#"{"&": [{"payload": {"protocol": "ip", "field": "daddr"}}, "255.255.0.0"]}"#;
    assert_eq!(one("ip", &matching(masked, "==", "\"10.1.0.0\"")), "dst=10.1.0.0-10.1.255.255");
    let holes = r#"{"&": [{"payload": {"protocol": "ip", "field": "daddr"}}, "255.0.0.255"]}"#;
    assert_eq!(one("ip", &matching(holes, "==", "\"10.0.0.1\"")), "?");
    // The other family: no packet.
    assert!(rules("ip", "", &format!("{}{ACCEPT}", payload("ip6", "saddr", "!=", "\"::1\""))).is_empty());
}

#[test]
fn ports_need_their_protocol_even_if_negated() {
    let port = |of: &str, op: &str, right: &str| one("inet", &payload(of, "dport", op, right));
    assert_eq!(port("tcp", "==", "22"), "tcp dport=22");
    assert_eq!(port("tcp", "!=", "22"), "tcp dport=0-21,23-65535");
    assert_eq!(port("udp", ">=", "1024"), "udp dport=1024-65535");
    assert_eq!(port("udp", ">", "65535"), "");
    assert_eq!(port("sctp", "==", r#"{"set": [22, {"range": [80, 90]}, 91]}"#), "sctp dport=22,80-91");
    assert_eq!(port("tcp", "==", "\"ssh\""), "tcp ?");
    // Whatever other protocols have at the place of a port.
    assert_eq!(
        port("th", "==", "53"),
        "(dport=53 | !(tcp,udp,dccp,sctp,udplite | ?))"
    );
    let either = matching(r#"{"meta": {"key": "l4proto"}}"#, "==", r#"{"set": ["tcp", "udp"]}"#);
    let both = format!("{either}, {}", payload("th", "dport", "==", "53"));
    assert_eq!(one("inet", &both), "tcp,udp dport=53");
}
