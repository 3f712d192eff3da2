//! What cannot be a ruleset, and what is newer than this reader.

use super::{FORWARD, compiled, dump_of, payload, read, table, wrapped};

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
    let doubts = compiled(&dump_of(&table("inet", &chain, "", &[]))).doubts;
    assert!(doubts[0].what.contains("`newer`"));
}
