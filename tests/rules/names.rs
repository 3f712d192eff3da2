//! Rule 4.6: every *may* that is not a *must* has a name, the line that would settle it.

use super::*;

/// One thing that is not known: what is changed in the description of a pair, the rules between them (or the whole policy),
/// and the beginning of the line that has to be named.
struct Doubt {
    name: &'static str,
    changes: &'static [(&'static str, &'static str)],
    rules: &'static str,
    line: &'static str,
}

/// Every description but for its one doubt is closed: `settled` shows that.
const DOUBTS: &[Doubt] = &[
    Doubt {
        name: "kind",
        changes: &[("    role: firewall\n", "    role: firewall\n    kind: ios\n")],
        rules: "  rule web { allow from any to 10.2.0.10 service tcp/443 stateless }",
        line: "kind: ios",
    },
    Doubt {
        name: "forwarding",
        changes: &[
            (
                "zone: left } } }\n",
                "zone: left } } }\n  d: { role: host, \
                 interfaces: { one: { ipv4: 10.1.0.12/24 }, two: { ipv4: 10.2.0.12/24 } } }\n",
            ),
            (r#""r:l"]"#, r#""r:l", "d:one"]"#),
            (r#""r:r"]"#, r#""r:r", "d:two"]"#),
        ],
        rules: "",
        line: "d: { role: host",
    },
    Doubt {
        name: "antispoof",
        changes: &[
            (
                "      l: { ipv4: 10.1.0.1/24 }\n",
                "      l: { ipv4: 10.1.0.1/24 }\n      m: { ipv4: 10.9.0.1/24 }\n",
            ),
            ("ipv6: off, interfaces: { antispoof: strict } }", "ipv6: off }"),
        ],
        rules: "  rule far { allow from 10.9.0.0/24 to 10.2.0.10 stateless }",
        line: "l: { ipv4: 10.1.0.1/24 }",
    },
    Doubt {
        name: "cabling",
        changes: &[
            ("isoaudit: 1\n", "isoaudit: 1\ncabling: unknown\n"),
            (
                "eth0: { ipv4: 10.1.0.10/24, zone: left }",
                "eth0: { ipv4: 10.1.0.10/24, zone: left }, eth1: { ipv4: 10.7.0.1/24, zone: left }",
            ),
            (
                "eth0: { ipv4: 10.2.0.10/24, zone: right }",
                "eth0: { ipv4: 10.2.0.10/24, zone: right }, eth1: { ipv4: 10.7.0.2/24, zone: right }",
            ),
        ],
        rules: "",
        line: "cabling: unknown",
    },
    Doubt {
        name: "reflection",
        changes: &[(
            "static-neighbours: \"a test\", no-reflection: \"a test\"",
            "static-neighbours: \"a test\"",
        )],
        rules: "policy r {\n  default deny\n}\n",
        line: "r:",
    },
    Doubt {
        name: "neighbours",
        changes: &[("static-neighbours: \"a test\", ", ""), (r#"to: "zone:right""#, r#"to: "node:b""#)],
        rules: "  rule near { allow from any to 10.2.0.77 stateless }",
        line: r#"- endpoints: ["b:eth0", "r:r"]"#,
    },
    Doubt {
        name: "related",
        changes: &[],
        rules: "  rule open { allow from 10.2.0.0/24 to 10.1.0.10 service tcp/80 }\n  rule kept { allow state related }",
        line: "rule kept",
    },
    Doubt {
        name: "tunnel",
        changes: &[
            (
                "eth0: { ipv4: 10.1.0.10/24, zone: left }",
                "eth0: { ipv4: 10.1.0.10/24, zone: left }, tun0: { ipv4: 10.8.0.1/30, zone: left }",
            ),
            (
                "eth0: { ipv4: 10.2.0.10/24, zone: right }",
                "eth0: { ipv4: 10.2.0.10/24, zone: right }, tun0: { ipv4: 10.8.0.2/30, zone: right }",
            ),
            (
                "claims:\n",
                "tunnels:\n  t: { encapsulation: gre, endpoints: [\"a:tun0\", \"b:tun0\"] }\nclaims:\n",
            ),
        ],
        rules: "",
        line: "t: { encapsulation",
    },
];

#[test]
fn every_doubt_is_named_by_its_line() {
    for doubt in DOUBTS {
        let whole = doubt.rules.starts_with("policy");
        let policy = if whole { doubt.rules.to_owned() } else { rules(doubt.rules) };
        let files = [("topology.yaml", &*with(PAIR, doubt.changes)), ("r.rules", &*policy)];
        let judged = judge(&format!("doubt-{}", doubt.name), &files);
        assert_eq!(judged.claim("apart").verdict, Verdict::Undetermined, "{}: {}", doubt.name, judged.text());
        let named = judged.named_lines("apart");
        assert!(
            named.iter().any(|line| line.starts_with(doubt.line)),
            "{}: {named:?}: {}",
            doubt.name,
            judged.text()
        );
        for open in &judged.claim("apart").open {
            assert!(!open.what.is_empty() && !open.settle.is_empty() && open.span.is_some(), "{open:?}");
        }
    }
    let closed = judge("doubt-none", &[("topology.yaml", PAIR), ("r.rules", &rules(""))]);
    assert_eq!(closed.verdicts(), "apart=holds");
}
