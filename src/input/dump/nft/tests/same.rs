//! The same rules as `iptables-save` and as `nft -j list ruleset` print them are the same rules of the model.

use super::{FORWARD, TRACKING, dump_of, matching, only, payload, shown, table};
use crate::diag::Diagnostics;
use crate::header::Family;
use crate::input::dump::{Given, iptables};
use crate::source::SourceMap;

/// A rule of iptables as rules of the model.
fn of_iptables(rule: &str, family: Family) -> Vec<String> {
    let tracking = "-A FORWARD -m conntrack --ctstate NEW";
    let text = format!(
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:other - [0:0]\n-A FORWARD {rule}\n\
         {tracking}\n-A other -j DROP\nCOMMIT\n"
    );
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text);
    let mut out = Diagnostics::default();
    let ruleset = iptables::parse(sources.get(id), id, family, &Given::Absent, &mut out);
    let errors = out.sorted();
    assert!(errors.is_empty(), "{rule}: {errors:?}");
    let mut made = shown(&ruleset.unwrap(), "FORWARD");
    made.retain(|rule| !rule.ends_with("continue"));
    made
}

fn of_nft(rule: &str, family: Family) -> Vec<String> {
    let family = if family == Family::V4 { "ip" } else { "ip6" };
    let mut made = shown(&only(&dump_of(&table(family, FORWARD, "", &[rule, TRACKING]))), "c");
    made.retain(|rule| rule != "continue");
    made
}

fn name(key: &str, op: &str, right: &str) -> String {
    matching(&format!(r#"{{"meta": {{"key": "{key}"}}}}"#), op, right)
}

fn net(text: &str) -> String {
    let (address, length) = text.split_once('/').unwrap();
    format!(r#"{{"prefix": {{"addr": "{address}", "len": {length}}}}}"#)
}

fn tcp(field: &str, op: &str, right: &str) -> String {
    payload("tcp", field, op, right)
}

fn state(op: &str, right: &str) -> String {
    matching(r#"{"ct": {"key": "state"}}"#, op, right)
}

#[test]
fn what_both_can_say_is_the_same() {
    let flags =
        r#"{"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}"#;
    let fib = r#"{"fib": {"result": "type", "flags": ["daddr"]}}"#;
    let four = [
        ("-s 10.0.0.0/8 -j ACCEPT", vec![payload("ip", "saddr", "==", &net("10.0.0.0/8"))], "accept"),
        ("-d 10.1.2.3/32 -j DROP", vec![payload("ip", "daddr", "==", "\"10.1.2.3\"")], "drop"),
        ("-p tcp -m tcp --dport 22 -j ACCEPT", vec![tcp("dport", "==", "22")], "accept"),
        ("-p tcp -m tcp ! --dport 22 -j ACCEPT", vec![tcp("dport", "!=", "22")], "accept"),
        ("-p tcp -m tcp --sport 1024:65535 -j DROP", vec![tcp("sport", ">=", "1024")], "drop"),
        (
            "-p tcp -m multiport --dports 22,80:90 -j ACCEPT",
            vec![tcp("dport", "==", r#"{"set": [22, {"range": [80, 90]}]}"#)],
            "accept",
        ),
        (
            "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
            vec![matching(flags, "==", "\"syn\"")],
            "drop",
        ),
        (
            "-p icmp -m icmp --icmp-type 8 -j ACCEPT",
            vec![payload("icmp", "type", "==", "\"echo-request\"")],
            "accept",
        ),
        (
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            vec![state("in", r#"["established", "related"]"#)],
            "accept",
        ),
        ("-m conntrack --ctstate INVALID -j DROP", vec![state("in", "\"invalid\"")], "drop"),
        (
            "-i eth+ -o wan0 -j ACCEPT",
            vec![name("iifname", "==", "\"eth*\""), name("oifname", "==", "\"wan0\"")],
            "accept",
        ),
        ("! -i lan0 -j DROP", vec![name("iifname", "!=", "\"lan0\"")], "drop"),
        ("-p udp -j REJECT", vec![name("l4proto", "==", "\"udp\"")], "reject"),
        ("-m addrtype --dst-type LOCAL -j ACCEPT", vec![matching(fib, "==", "\"local\"")], "accept"),
        ("-m mark --mark 0x1 -j ACCEPT", vec![name("mark", "==", "1")], "accept"),
        ("-m limit --limit 3/sec -j ACCEPT", vec![], "limit"),
        ("-g other", vec![], "goto"),
        ("-s 10.0.0.0/8 -j other", vec![payload("ip", "saddr", "==", &net("10.0.0.0/8"))], "jump"),
        ("-j RETURN", vec![], "return"),
    ];
    for (old, matches, verdict) in four {
        let last = match verdict {
            "limit" => r#"{"limit": {"rate": 3, "burst": 5, "per": "second"}}, {"accept": null}"#.to_owned(),
            "goto" | "jump" => format!(r#"{{"{verdict}": {{"target": "other"}}}}"#),
            "reject" => r#"{"reject": {"type": "icmp", "expr": "port-unreachable"}}"#.to_owned(),
            word => format!(r#"{{"{word}": null}}"#),
        };
        let new: Vec<String> = matches.into_iter().chain([last]).collect();
        assert_eq!(of_iptables(old, Family::V4), of_nft(&new.join(", "), Family::V4), "{old}");
    }
}

#[test]
fn what_both_can_say_of_ipv6_is_the_same() {
    let six = [
        ("-s fe80::/10 -j ACCEPT", payload("ip6", "saddr", "==", &net("fe80::/10"))),
        (
            "-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT",
            payload("icmpv6", "type", "==", "\"nd-neighbor-solicit\""),
        ),
        ("-p tcp -m tcp --dport 22 -j ACCEPT", tcp("dport", "==", "22")),
    ];
    for (old, new) in six {
        let new = format!(r#"{new}, {{"accept": null}}"#);
        assert_eq!(of_iptables(old, Family::V6), of_nft(&new, Family::V6), "{old}");
    }
}
