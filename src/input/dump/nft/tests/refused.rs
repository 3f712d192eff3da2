//! What cannot be a ruleset, and what is newer than this reader.

use super::{FORWARD, compiled, dump_of, matching, only, payload, read, table, wrapped};
use crate::model::Test;
use proptest::prelude::*;

/// The errors of a dump, each with its place.
fn errors(text: &str) -> Vec<String> {
    let (_, errors, sources) = read(text);
    let shown = |error: &crate::diag::Diagnostic| {
        let place = sources.position(error.span.unwrap());
        format!("{}:{} {}", place.line, place.column, error.message)
    };
    errors.iter().map(shown).collect()
}

fn of_rule(rule: &str) -> Vec<String> {
    errors(&wrapped(&table("inet", FORWARD, "", &[rule])))
}

#[test]
fn what_cannot_be_a_ruleset_is_refused() {
    for (text, expected) in [
        ("{}", "1:1 no `nftables` in this dump"),
        (r#"{"nftables":7}"#, "1:13 expected an array"),
        (r#"{"nftables":[7]}"#, "1:14 expected an object"),
        (r#"{"nftables":[{"table":{"family":"ip","name":"x""#, "1:48 expected `,` or `}`"),
        (
            r#"{"nftables":[{"rule":{"family":"ip","table":"x","chain":"y"}}]}"#,
            "1:22 a rule of the table `ip x`",
        ),
        (
            r#"{"nftables":[{"table":{"family":"ip","name":"x"}},{"rule":{"family":"ip","table":"x","chain":"y"}}]}"#,
            "1:94 a rule of the chain `y`, which is not declared",
        ),
        (
            r#"{"nftables":[{"table":{"family":"ip","name":"x"}},{"table":{"family":"ip","name":"x"}}]}"#,
            "1:60 the table `ip x` is declared twice",
        ),
        (
            r#"{"nftables":[{"table":{"family":"ip","name":"x"}},{"chain":{"family":"ip","table":"x","name":"c","prio":0}}]}"#,
            "1:60 a base chain has `type`, `hook` and `prio`",
        ),
    ] {
        let found = errors(text);
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn rules_that_cannot_be_are_refused_at_their_place() {
    for (rule, expected) in [
        (r#"{"jump": {"target": "nowhere"}}"#, "chain `nowhere` is not declared in this table"),
        (r#"{"jump": {"target": "c"}}"#, "`c` is a base chain"),
        (r#"{"jump": null}"#, "`jump` without its `target`"),
        (r#"7"#, "expected a statement"),
        (&payload("ip", "saddr", "==", "\"@nets\""), "the set `nets` is not declared"),
        (&payload("ip", "saddr", "==", "\"10.0.0.300\""), "`10.0.0.300` is not an IPv4 address"),
        (&payload("ip", "saddr", "==", "\"::1\""), "`::1` is not an IPv4 address"),
        (&payload("ip", "saddr", "==", "7"), "`7` is no value of such a field"),
        (&payload("ip", "saddr", "==", r#"{"prefix": {"addr": "10.0.0.0", "len": 33}}"#), "not the length"),
        (&payload("tcp", "dport", "==", r#"{"range": [9, 7]}"#), "the range ends before it begins"),
        (&payload("tcp", "dport", "==", "65536"), "`65536` is no value"),
        (
            r#"{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[22]]}}}"#,
            "expected a key and a verdict",
        ),
        (
            r#"{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@none"}}"#,
            "the set `none` is not declared",
        ),
    ] {
        let found = of_rule(rule);
        assert!(found.len() == 1 && found[0].contains(expected), "{rule}: {found:?}");
    }
}

#[test]
fn jumps_in_a_circle_are_refused() {
    let circle = r#", {"chain": {"family": "inet", "table": "t", "name": "more", "handle": 5}},
        {"rule": {"family": "inet", "table": "t", "chain": "other", "handle": 6, "expr": [{"jump": {"target": "more"}}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "more", "handle": 7, "expr": [{"vmap": {"key":
        {"meta": {"key": "l4proto"}}, "data": {"set": [["tcp", {"goto": {"target": "other"}}]]}}}]}}"#;
    let found = errors(&wrapped(&table("inet", FORWARD, circle, &[])));
    assert!(found.len() == 1 && found[0].contains("calls itself"), "{found:?}");
}

#[test]
fn a_newer_schema_and_newer_objects_are_doubts() {
    let newer = r#"{"nftables":[{"metainfo":{"json_schema_version":2}},{"tunnel":{"name":"x"}}]}"#;
    let (dump, errors, _) = read(newer);
    assert!(errors.is_empty());
    let doubts = compiled(&dump).doubts;
    assert!(doubts.len() == 2 && doubts.iter().all(|doubt| doubt.havoc));
    let object = r#", {"tunnel": {"family": "inet", "table": "t", "name": "x"}}"#;
    let doubts = compiled(&dump_of(&table("inet", FORWARD, object, &[]))).doubts;
    assert!(doubts[0].havoc && doubts[0].what == "what a `tunnel` of the table `inet t` does");
    let chain = FORWARD.to_owned() + r#", "newer": true"#;
    let all = compiled(&dump_of(&table("inet", &chain, "", &[])));
    assert!(all.rulesets.is_empty() && all.doubts[0].what.contains("the chain `c`"));
}

#[test]
fn a_hundred_thousand_rules_and_as_many_elements() {
    let elements = (0..200_000_u32).map(|n| format!("\"{}\"", std::net::Ipv4Addr::from(0x0a00_0000 + 2 * n)));
    let elements = elements.collect::<Vec<_>>().join(",");
    let set = format!(
        r#", {{"set": {{"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr", "handle": 2, "elem": [{elements}]}}}}"#
    );
    let asks = payload("ip", "saddr", "==", "\"@s\"") + r#", {"accept": null}"#;
    let rule = |n: u32| payload("tcp", "dport", "==", &(n % 65536).to_string()) + r#", {"accept": null}"#;
    let rules: Vec<String> = (0..100_000).map(rule).chain([asks]).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let ruleset = only(&dump_of(&table("inet", FORWARD, &set, &rules)));
    let chain = ruleset.filter.chains.iter().find(|chain| chain.name == "c").unwrap();
    let last = chain.rules.last().unwrap().matches.last().unwrap();
    assert!(matches!(&last.test, Test::Source(ranges) if ranges.len() == 200_000));
    assert!(chain.rules.len() > 100_000);
}

#[test]
fn a_long_line_of_chains_is_refused() {
    let mut objects = String::new();
    for chain in 0..200 {
        let of = r#""family": "inet", "table": "t""#;
        objects += &format!(r#", {{"chain": {{{of}, "name": "x{chain}", "handle": 9}}}}"#);
        let to = if chain == 199 { "other".to_owned() } else { format!("x{}", chain + 1) };
        objects += &format!(
            r#", {{"chain": {{{of}, "name": "y{chain}", "handle": 9}}}}, {{"rule": {{{of}, "chain": "x{chain}", "handle": 9,
            "expr": [{{"jump": {{"target": "{to}"}}}}]}}}}"#
        );
    }
    let found = errors(&wrapped(&table("inet", FORWARD, &objects, &[])));
    assert!(found.len() == 1 && found[0].contains("more than 100 levels deep"), "{found:?}");
}

/// Texts near those of nft.
fn near_nft() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "7",
        "-1",
        "65536",
        "\"*\"",
        "\"@s\"",
        "\"tcp\"",
        "\"10.0.0.1\"",
        "\"::1\"",
        "\"eth*\"",
        "\"established\"",
        "\"saddr\"",
        "\"ip\"",
        "\"flags\"",
        "\"state\"",
        "\"iifname\"",
        "\"type\"",
        "\"other\"",
        "{}",
        "[]",
    ]);
    let key = prop::sample::select(vec![
        "match", "op", "left", "right", "payload", "protocol", "field", "meta", "key", "ct", "fib", "result",
        "flags", "set", "elem", "val", "concat", "prefix", "addr", "len", "range", "vmap", "data", "jump",
        "target", "accept", "drop", "snat", "dnat", "map", "mangle", "value", "reject", "log", "group",
        "limit", "xt", "&", "|", "timeout",
    ]);
    let inner = leaf.prop_map(str::to_owned);
    inner.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|pairs| {
                let pairs: Vec<String> =
                    pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_rule_makes_it_panic(rule in near_nft(), left in near_nft(), right in near_nft(), key in near_nft()) {
        let set = format!(
            r#", {{"set": {{"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr", "handle": 2, "elem": [{right}]}}}}"#
        );
        let known = [
            payload("ip", "saddr", "==", &right),
            payload("tcp", "flags", "in", &right),
            matching(&left, "!=", &right),
            format!(r#"{{"vmap": {{"key": {left}, "data": {{"set": [[{key}, {{"accept": null}}], {right}]}}}}}}"#),
            format!(r#"{{"vmap": {{"key": {{"meta": {{"key": "iifname"}}}}, "data": {right}}}}}"#),
            format!(r#"{{"dnat": {{"addr": {{"map": {{"key": {left}, "data": {{"set": [[{key}, {right}]]}}}}}}}}}}"#),
            rule,
        ];
        for one in &known {
            for hook in ["forward", "prerouting", "postrouting"] {
                let base = FORWARD.replace("forward", hook);
                let (dump, _, _) = read(&wrapped(&table("inet", &base, &set, &[one])));
                compiled(&dump);
            }
        }
    }
}
