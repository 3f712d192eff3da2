//! Rules 1.3 and 2.1: the adversary stands on whatever certainly is in `from` for certain, on what possibly is perhaps, and
//! not on what is trusted, read the other way round.

use super::*;

/// A router on the left that may send anything to the right, at a site or not.
fn router(test: &str, site: &str, claim: &str) -> Judged {
    let node = format!(
        "  e: {{ role: router, {site}interfaces: {{ eth0: {{ ipv4: 10.1.0.2/24 }} }}, \
         routes: [ {{ to: default, via: 10.1.0.1 }} ] }}\n"
    );
    let changes = [
        ("zones:", "sites: { hq1: { jurisdiction: SE }, far1: { jurisdiction: NO } }\nzones:"),
        ("nodes:\n", &*format!("nodes:\n{node}")),
        (r#"["a:eth0", "r:l"]"#, r#"["a:eth0", "r:l", "e:eth0"]"#),
        (r#"{ from: "zone:left", to: "zone:right" }"#, claim),
    ];
    let policy = rules("  rule all { allow from any to 10.2.0.10 stateless }");
    judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("r.rules", &policy)])
}

#[test]
fn only_what_certainly_is_trusted_is() {
    let claim = r#"{ from: "node:e", to: "zone:right", trusts: "site:hq1" }"#;
    for (test, site, expected) in [
        ("trusted", "site: hq1, ", "apart=holds"),
        ("perhaps-trusted", "", "apart=undetermined"),
        ("not-trusted", "site: far1, ", "apart=violated"),
    ] {
        let judged = router(test, site, claim);
        assert_eq!(judged.verdicts(), expected, "{test}: {}", judged.text());
    }
    let judged = router("perhaps-trusted-line", "", claim);
    let named = judged.named_lines("apart");
    assert!(named.iter().any(|line| line.starts_with("e: {")), "{named:?}: {}", judged.text());
}

#[test]
fn routers_are_trusted_by_default_but_not_by_the_complement_of_a_country() {
    let inside =
        router("default-trust", "site: hq1, ", r#"{ from: "site:hq1 and node:e", to: "zone:right" }"#);
    assert_eq!(inside.verdicts(), "apart=holds", "{}", inside.text());
    let outside = router("complement", "site: far1, ", r#"{ from: "not jurisdiction:SE", to: "node:b" }"#);
    assert_eq!(outside.verdicts(), "apart=violated", "{}", outside.text());
    let text = outside.text();
    assert!(text.contains("sent by the adversary at e;"), "{text}");
}

#[test]
fn the_adversary_stands_perhaps_where_a_selector_perhaps_selects() {
    let claim = r#"{ from: "node:e and jurisdiction:NO", to: "node:b", trusts: "node:b" }"#;
    for (test, site, expected) in [
        ("stands", "site: far1, ", "apart=violated"),
        ("stands-perhaps", "", "apart=undetermined"),
        ("stands-elsewhere", "site: hq1, ", "apart=vacuous"),
    ] {
        let judged = router(test, site, claim);
        assert_eq!(judged.verdicts(), expected, "{test}: {}", judged.text());
        let named = judged.named_lines("apart");
        let names_it = named.iter().any(|line| line.starts_with("e: {"));
        assert_eq!(names_it, expected.ends_with("undetermined"), "{named:?}: {}", judged.text());
    }
}

#[test]
fn nothing_may_perhaps_arrive_where_a_selector_perhaps_selects() {
    for (test, site, expected) in [
        ("target-perhaps", "", "apart=undetermined"),
        ("target-certainly", "site: far1, ", "apart=violated"),
        ("target-not", "site: hq1, ", "apart=vacuous"),
    ] {
        let judged = router(test, site, r#"{ from: "node:a", to: "node:e and jurisdiction:NO" }"#);
        assert_eq!(judged.verdicts(), expected, "{test}: {}", judged.text());
    }
}

/// Whatever is put on the segment of a node that the adversary has is the adversary's, whether it is a target or not.
#[test]
fn what_reaches_a_node_in_both_from_and_to_has_arrived() {
    for from in ["node:a or node:b", "any", "not jurisdiction:SE"] {
        let claim = format!(r#"{{ from: "{from}", to: "node:b" }}"#);
        let judged = router("both", "site: far1, ", &claim);
        assert_eq!(judged.verdicts(), "apart=violated", "{from}: {}", judged.text());
    }
}
