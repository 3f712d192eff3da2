//! Rules 2.6, 3.2, 4.4 and section 7: who forwards, what leaves a device itself, and routes that may change.

use super::*;

/// A host with a leg on either side, of which nobody says whether it forwards.
fn two_legs(test: &str, changes: &[(&str, &str)]) -> Judged {
    let mut all = vec![
        (
            "nodes:\n",
            "nodes:\n  d: { role: host, interfaces: { one: { ipv4: 10.1.0.12/24 }, two: { ipv4: 10.2.0.12/24 } } }\n",
        ),
        (r#""r:l"]"#, r#""r:l", "d:one"]"#),
        (r#""r:r"]"#, r#""r:r", "d:two"]"#),
    ];
    all.extend(changes);
    judge(test, &[("topology.yaml", &with(PAIR, &all)), ("r.rules", &rules(""))])
}

#[test]
fn hidden_forwarding_is_possible_unless_it_is_off_or_assumed_away() {
    let unsaid = two_legs("legs-unsaid", &[]);
    assert_eq!(unsaid.verdicts(), "apart=undetermined", "{}", unsaid.text());
    let off = two_legs("legs-off", &[("d: { role: host, ", "d: { role: host, forwarding: off, ")]);
    assert_eq!(off.verdicts(), "apart=holds", "{}", off.text());
    let on = two_legs("legs-on", &[("d: { role: host, ", "d: { role: host, forwarding: on, ")]);
    assert_eq!(on.verdicts(), "apart=violated", "{}", on.text());
    let hidden = ("no-reflection: \"a test\"", "no-reflection: \"a test\", no-hidden-forwarding: \"a test\"");
    let assumed = two_legs("legs-assumed", &[hidden]);
    assert_eq!(assumed.verdicts(), "apart=holds", "{}", assumed.text());
    assert_eq!(assumed.claim("apart").assumptions.len(), 3, "the verdict says so");
}

/// Output runs the rules `from self`, then the default, and is open if there are none.
#[test]
fn a_policy_without_a_word_on_its_own_packets_lets_them_out() {
    let of = |test: &str, lines: &str| {
        let changes = [
            ("a: { role: host, ", "a: { role: host, policy: a.rules, "),
            (
                r#"isolated: { from: "zone:left", to: "zone:right" }"#,
                r#"reachable: { from: "node:a", to: "node:b", packets: tcp/443 }"#,
            ),
        ];
        let own = format!("policy a {{\n  default deny\n{lines}\n}}\n");
        let open = rules("  rule web { allow from 10.1.0.0/24 to 10.2.0.0/24 service tcp/443 }");
        let files = [("topology.yaml", &*with(PAIR, &changes)), ("r.rules", &*open), ("a.rules", &*own)];
        judge(test, &files)
    };
    let silent = of("output-silent", "  rule in { allow from any to self }");
    assert_eq!(silent.verdicts(), "apart=holds", "{}", silent.text());
    let closed = of(
        "output-closed",
        "  rule in { allow from any to self }\n  rule out { allow from self to 10.9.9.9 }",
    );
    assert_eq!(closed.verdicts(), "apart=violated", "the default ends the output list: {}", closed.text());
}

/// A peer may announce another way for whatever it likes.
#[test]
fn a_learned_route_may_be_replaced_by_any_other() {
    let of = |test: &str, protocol: &str, assumed: &str| {
        let changes = [
            (
                "    role: firewall\n",
                "    role: firewall\n    config: { routes: routes.json, rules: rules.json }\n",
            ),
            ("no-reflection: \"a test\"", assumed),
        ];
        let routes = format!(
            r#"[{{"dst":"10.7.0.0/16","gateway":"10.1.0.10","dev":"l","protocol":"{protocol}","flags":[]}},
                {{"dst":"10.1.0.0/24","dev":"l","protocol":"kernel","scope":"link","prefsrc":"10.1.0.1","flags":[]}},
                {{"dst":"10.2.0.0/24","dev":"r","protocol":"kernel","scope":"link","prefsrc":"10.2.0.1","flags":[]}}]"#
        );
        let policy = rules("  rule far { allow from any to 10.7.0.1 stateless }");
        let lookup = ["local", "main"].iter().zip([0, 32766]);
        let lookup =
            lookup.map(|(table, at)| format!(r#"{{"priority":{at},"src":"all","table":"{table}"}}"#));
        let lookup = format!("[{}]", lookup.collect::<Vec<_>>().join(","));
        let topology = with(PAIR, &changes);
        let files = [("topology.yaml", &*topology), ("r.rules", &*policy), ("routes.json", &*routes)];
        judge(test, &[&files[..], &[("rules.json", &*lookup)]].concat())
    };
    let plain = "no-reflection: \"a test\"";
    let learned = of("learned", "bgp", plain);
    assert_eq!(learned.verdicts(), "apart=undetermined", "{}", learned.text());
    assert!(learned.named_lines("apart").iter().any(|line| line.contains("bgp")), "{}", learned.text());
    let fixed = of("learned-static", "static", plain);
    assert_eq!(fixed.verdicts(), "apart=holds", "{}", fixed.text());
    let assumed = of("learned-assumed", "bgp", "no-reflection: \"a test\", fixed-routes: \"a test\"");
    assert_eq!(assumed.verdicts(), "apart=holds", "{}", assumed.text());
}
