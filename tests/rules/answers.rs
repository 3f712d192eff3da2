//! Rule 3.3: what a device answers goes to the source of what caused it, and counts like any other packet.

use super::*;

/// Nobody checks sources on the left, so that an answer can be drawn to the right. Only the device itself passes anything.
fn answering(test: &str, assumed: &str, policy: &str) -> Judged {
    let changes = [
        ("      l: { ipv4: 10.1.0.1/24 }\n", "      l: { ipv4: 10.1.0.1/24, antispoof: off }\n"),
        ("static-neighbours: \"a test\", no-reflection: \"a test\"", assumed),
    ];
    judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("r.rules", policy)])
}

const GUARDED: &str = "static-neighbours: \"a test\"";
const OPEN_INPUT: &str = "policy r {\n  default deny\n  rule own { allow from any to self stateless }\n}\n";

#[test]
fn what_a_device_answers_perhaps_goes_to_whoever_the_packet_claimed_to_be_from() {
    let answers = answering("answers", GUARDED, OPEN_INPUT);
    assert_eq!(answers.verdicts(), "apart=undetermined", "{}", answers.text());
    let named = answers.named_lines("apart");
    assert!(named.iter().any(|line| line == "r:"), "{named:?}: {}", answers.text());
    // A state clause leaves no word for open connections, of which an answer may be one.
    let quiet = rules("  rule own { allow from any to self stateless }\n  rule odd { deny state invalid }");
    let quiet = answering("answers-quiet", GUARDED, &quiet);
    assert_eq!(quiet.verdicts(), "apart=holds", "the output list stops them: {}", quiet.text());
    let assumed = answering("answers-assumed", "static-neighbours: \"a\", no-reflection: \"b\"", OPEN_INPUT);
    assert_eq!(assumed.verdicts(), "apart=holds", "{}", assumed.text());
}

/// A host between the two that forwards nothing: what it takes is answered, and what it rejects, but not what it denies.
#[test]
fn deliveries_and_rejects_are_answered_and_denials_are_not() {
    for (action, expected) in
        [("allow", "apart=undetermined"), ("reject", "apart=undetermined"), ("deny", "apart=holds")]
    {
        let changes = [
            ("      l: { ipv4: 10.1.0.1/24 }\n", "      l: { ipv4: 10.1.0.1/24, antispoof: off }\n"),
            ("static-neighbours: \"a test\", no-reflection: \"a test\"", GUARDED),
            ("    role: firewall\n", "    role: firewall\n    forwarding: off\n"),
        ];
        let policy = format!(
            "policy r {{\n  default deny\n  rule own {{ {action} from any to self stateless }}\n}}\n"
        );
        let files = [("topology.yaml", &*with(PAIR, &changes)), ("r.rules", &*policy)];
        let judged = judge(&format!("answers-{action}"), &files);
        assert_eq!(judged.verdicts(), expected, "{action}: {}", judged.text());
    }
}

/// A firewall that lets nothing in but over its loopback, and has no route to most addresses: an error about a packet that
/// claims to be its own comes home there, though no check of sources lets such a packet pass.
#[test]
fn what_a_device_answers_to_its_own_address_it_hears_itself() {
    let verdicts = |test: &str, input: &str, routes: &str| {
        let config = format!("    config: {{ iptables: v4.txt, nftables: none }}\n{routes}");
        let changes = [
            ("    policy: r.rules\n", config.as_str()),
            ("static-neighbours: \"a test\", no-reflection: \"a test\"", GUARDED),
            ("to: \"zone:right\"", "to: \"node:r\""),
        ];
        let dump =
            format!("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{input}COMMIT\n");
        let judged = judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("v4.txt", &dump)]);
        (judged.verdicts(), judged.text())
    };
    let loopback = "-A INPUT -i lo -j ACCEPT\n";
    let lines = "-A INPUT ! -i l -j ACCEPT\n";
    let routed = "    routes: [ { to: default, blackhole: true } ]\n";
    for (test, input, routes, expected) in [
        ("home-loopback", loopback, "", "apart=undetermined"),
        ("home-lines", lines, "", "apart=undetermined"),
        ("home-nothing", "", "", "apart=holds"),
        ("home-routed", loopback, routed, "apart=holds"),
    ] {
        let (verdict, text) = verdicts(test, input, routes);
        assert_eq!(verdict, expected, "{test}: {text}");
    }
}
