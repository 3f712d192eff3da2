//! What is said about broken policies: every message with its place, as one snapshot.

use super::*;
use crate::source::SourceMap;
use std::fmt::Write;

/// A policy with these rules.
fn with(rules: &str) -> String {
    format!("policy p {{\n  default deny\n  {rules}\n}}\n")
}

/// Everything that is said about a text, in the order of the text.
fn said(text: &str) -> String {
    let mut map = SourceMap::default();
    map.add("p.rules", text);
    let (_, _, diagnostics) = lower_all(text, None);
    let mut out = String::new();
    for diagnostic in diagnostics.sorted() {
        let span = diagnostic.span.unwrap();
        let place = map.position(span);
        let severity = format!("{:?}", diagnostic.severity).to_lowercase();
        let (line, column, text) = (place.line, place.column, map.text(span).escape_debug().to_string());
        let text: String = text.chars().take(60).collect();
        let code = diagnostic.code.id();
        let _ = writeln!(out, "{severity}[{code}] {line}:{column} `{text}`: {}", diagnostic.message);
        if let Some(label) = &diagnostic.label {
            let _ = writeln!(out, "    label: {label}");
        }
        for related in &diagnostic.related {
            let (place, text) =
                (map.position(related.span), map.text(related.span).escape_debug().to_string());
            let _ = writeln!(out, "    also {}:{} `{text}`: {}", place.line, place.column, related.text);
        }
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "    help: {help}");
        }
    }
    out
}

/// Broken files by what is wrong with them.
fn cases() -> Vec<(&'static str, String)> {
    let rule = |rule: &str| with(rule);
    vec![
        ("an unknown statement", "polcy p { default deny }".to_owned()),
        ("a rule outside of a policy", "rule a { allow from any }\npolicy p { default deny }".to_owned()),
        ("no default", "policy p {\n  rule a { allow from any }\n}".to_owned()),
        ("two defaults", rule("default allow")),
        ("a default without action", "policy p { default\n rule a { allow } }".to_owned()),
        ("an unknown action", rule("rule a { alow from any }")),
        ("a policy that is not closed", "policy p {\n  default deny\npolicy q { default deny }".to_owned()),
        ("a rule that is not closed", rule("rule a { allow from any\n  rule b { deny from any }")),
        ("a set that is not closed", rule("rule a { allow from { 10.0.0.1, 10.0.0.2 service tcp/22 }\n  rule b { deny }")),
        ("a brace too many", "policy p { default deny } }\n".to_owned()),
        ("three rules, each wrong", rule("rule a { allow frm any }\n  rule b { deny from }\n  rule c { allow from any service tcp/99-10 }")),
        ("two rules of one name", rule("rule a { allow }\n  rule a { deny }")),
        ("two policies of one name", "policy p { default deny }\npolicy p { default allow }".to_owned()),
        ("a clause given twice", rule("rule a { allow from any to any from self }")),
        ("words of other firewalls", rule("rule a { allow src any }\n  rule b { allow from any port 22 }\n  rule c { allow proto tcp }")),
        ("a comma outside of braces", rule("rule a { allow service tcp/80, tcp/443 }")),
        ("a semicolon", rule("rule a { allow from any; }")),
        ("host bits", rule("rule a { allow from 10.1.0.5/24 }")),
        ("an octet too large", rule("rule a { allow from 10.0.0.300 }")),
        ("an address too short", rule("rule a { allow from 10.1 }")),
        ("a prefix too long", rule("rule a { allow from 10.0.0.0/33 to 2001:db8::/129 }")),
        ("a wildcard mask", rule("rule a { allow from 10.0.0.0/0.0.0.255 }")),
        ("a range that is empty", rule("rule a { allow from 10.0.0.9-10.0.0.1 service udp/99-10 }")),
        ("a range of two families", rule("rule a { allow from 10.0.0.1-2001:db8::1 }")),
        ("source and destination of two families", rule("rule a { allow from 10.0.0.0/8 to 2001:db8::/32 }")),
        ("a zone that is not declared", rule("rule a { allow from zone ap to zone inside }")),
        ("a zone without its keyword", rule("rule a { allow from app to slef }")),
        ("braces behind `zone`", rule("rule a { allow from zone { app, wan } }")),
        ("a definition that is missing", "define db = 10.1.0.20\npolicy p {\n default deny\n rule a { allow from $bd to $db }\n}".to_owned()),
        ("a definition that is used too early", "define a = $b\ndefine b = $b\ndefine c = 10.0.0.1\npolicy p { default deny rule x { allow from { $a, $b, $c } } }".to_owned()),
        ("a definition of the other sort", "define web = { tcp/80 }\npolicy p {\n default deny\n rule a { allow from $web }\n}".to_owned()),
        ("a definition of both sorts", "define odd = { tcp/80, 10.0.0.1 }\npolicy p { default deny rule a { allow from $odd } }".to_owned()),
        ("a definition that nothing uses", "define db = 10.1.0.20\npolicy p { default deny }".to_owned()),
        ("a service among places", rule("rule a { allow from tcp/22 }")),
        ("an address as a service", rule("rule a { allow service 10.0.0.1 }")),
        ("a port without its protocol", rule("rule a { allow service 443 }\n  rule b { allow service https }")),
        ("a port by its name", rule("rule a { allow service tcp/https }")),
        ("a port too large", rule("rule a { allow service tcp/65536 }")),
        ("a port range without an end", rule("rule a { allow service tcp/1024- }")),
        ("ports of a protocol without ports", rule("rule a { allow service { gre/80, any/80, esp } }")),
        ("an unknown protocol", rule("rule a { allow service { tpc/80, proto/256, foo } }")),
        ("ICMP types", rule("rule a { allow service { icmp/echo, icmp/packet-too-big, icmpv6/999, icmp/3/256 } }")),
        ("an empty set", rule("rule a { allow from { } service { } }")),
        ("connection states", rule("rule a { allow state establishd }\n  rule b { allow state not any }")),
        ("TCP flags", rule("rule a { allow flags syn }\n  rule b { allow flags syn,ack/syn }\n  rule c { allow flags sin/all }\n  rule d { allow service udp/53 flags syn/syn }")),
        ("a day that does not exist", rule("rule a { allow until 2027-02-29 }\n  rule b { allow until tomorrow }")),
        ("a comment without an end", rule("rule a { allow comment \"open }\n  rule b { allow }")),
        ("a VRF and an interface that nobody has", rule("rule a { allow vrf mgnt }\n  rule b { allow in eth2 out eth+ }")),
        ("a label that no node has", rule("rule a { allow from label pci=cd to label pci }")),
        ("rules that can never match", rule("rule a { allow from not any }\n  rule b { allow from self in eth0 }\n  rule c { deny to self out eth0 }\n  rule d { allow service not any }\n  rule e { allow from self vrf mgmt }\n  rule f { allow from self to self }")),
        ("translations", "policy p { default deny }\nnat p {\n  snat from zone nowhere as interface\n  dnat to 192.0.2.1 as interface\n  dnat to 192.0.2.1 as 10.0.0.1 port 443\n  masquerade\n  snat from any to any\n}".to_owned()),
        ("nesting without end", format!("define a = {}10.0.0.1", "{".repeat(100_000))),
        ("characters that cannot be seen", "policy p\u{1} { default deny }\npolicy \u{200b}q { default deny }".to_owned()),
        ("a name that cannot be one", "policy \"p\" { default deny }\npolicy -q { default deny }\ndefine = 10.0.0.1".to_owned()),
        ("an unfinished file", "policy p { default deny rule a { allow from".to_owned()),
    ]
}

#[test]
fn every_message_has_its_place_and_a_way_out() {
    let mut out = String::new();
    for (what, text) in cases() {
        let shown: String = text.chars().take(400).collect();
        let indented: String = shown.trim_end().lines().map(|line| format!("  | {line}\n")).collect();
        let _ = writeln!(out, "== {what}\n{indented}{}", said(&text));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn errors_are_counted_and_the_rest_is_not_read() {
    let text = with(&"rule a { alow }\n".repeat(5_000));
    let (_, _, diagnostics) = lower_all(&text, None);
    let found = diagnostics.sorted();
    assert!((100..110).contains(&found.len()), "{}", found.len());
    assert!(found.iter().any(|diagnostic| diagnostic.message.contains("was not read")));
}

#[test]
fn definitions_that_grow_without_end_are_refused() {
    let mut text = "define a0 = { zone app, not { 10.0.0.0/8, zone wan } }\n".to_owned();
    for level in 1..64 {
        let before = level - 1;
        let _ = writeln!(
            text,
            "define a{level} = {{ not {{ $a{before}, zone app }}, not {{ $a{before}, zone wan }} }}"
        );
    }
    text.push_str("policy p { default deny rule a { allow from $a63 } }");
    let (_, _, diagnostics) = lower_all(&text, None);
    assert!(diagnostics.sorted().iter().any(|d| d.message.contains("expand to more than")));
}
