//! Rule 3.7: groups flood their segment, and are forwarded perhaps; copies are packets of their own.

use super::*;

/// Everything for a group of the internet, nothing else.
const TO_GROUP: &str = "  rule group { allow from any to 239.0.0.0/8 stateless }";

fn pair(test: &str, changes: &[(&str, &str)], policy: &str) -> Judged {
    judge(test, &[("topology.yaml", &with(PAIR, changes)), ("r.rules", &rules(policy))])
}

#[test]
fn groups_are_forwarded_perhaps_unless_the_kind_says_that_they_are_not() {
    let linux = pair("group-linux", &[], TO_GROUP);
    assert_eq!(linux.verdicts(), "apart=holds", "{}", linux.text());
    let kind = ("    role: firewall\n", "    role: firewall\n    kind: ios\n");
    let unknown = pair("group-unknown", &[kind], TO_GROUP);
    assert_eq!(unknown.verdicts(), "apart=undetermined", "no route says where groups go: {}", unknown.text());
    let (named, text) = (unknown.named_lines("apart"), unknown.text());
    assert!(named.contains(&"kind: ios".to_owned()) || named.contains(&"r:".to_owned()), "{named:?}: {text}");
    let other = pair("group-denied", &[kind], "  rule other { allow from any to 10.9.9.9 stateless }");
    assert_eq!(other.verdicts(), "apart=holds", "it still filters: {}", other.text());
}

#[test]
fn a_device_forwards_groups_if_its_own_files_say_so() {
    let config = "    role: firewall\n    config: { sysctl: sysctl.txt }\n";
    let of = |test: &str, setting: &str| {
        let topology = with(PAIR, &[("    role: firewall\n", config)]);
        let sysctl = format!("net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.mc_forwarding = {setting}\n");
        judge(test, &[("topology.yaml", &topology), ("r.rules", &rules(TO_GROUP)), ("sysctl.txt", &sysctl)])
    };
    let on = of("group-on", "1");
    assert_eq!(on.verdicts(), "apart=undetermined", "{}", on.text());
    let off = of("group-off", "0");
    assert_eq!(off.verdicts(), "apart=holds", "{}", off.text());
}

/// A broadcast to a subnet is forwarded by whoever is told to (`bc_forwarding`), and everybody there may hear it.
#[test]
fn a_directed_broadcast_that_is_forwarded_is_heard_by_all_on_the_segment() {
    let changes = [
        ("    role: firewall\n", "    role: firewall\n    config: { sysctl: sysctl.txt }\n"),
        (
            "nodes:\n",
            "nodes:\n  c: { role: host, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.11/24 } } }\n",
        ),
        (r#"["b:eth0", "r:r"]"#, r#"["b:eth0", "c:eth0", "r:r"]"#),
        ("claims:\n", "claims:\n  - { id: b, isolated: { from: \"zone:left\", to: \"node:b\" } }\n"),
        (r#"to: "zone:right""#, r#"to: "node:c""#),
    ];
    let mut sysctl = "net.ipv4.ip_forward = 1\n".to_owned();
    for interface in ["all", "l", "r"] {
        sysctl.push_str(&format!("net.ipv4.conf.{interface}.bc_forwarding = 1\n"));
    }
    let policy = rules("  rule wide { allow from any to 10.2.0.255 stateless }");
    let files = [("topology.yaml", &*with(PAIR, &changes)), ("r.rules", &*policy), ("sysctl.txt", &*sysctl)];
    let judged = judge("broadcast", &files);
    assert_eq!(judged.verdicts(), "b=undetermined apart=undetermined", "{}", judged.text());
    assert!(judged.text().contains("it may listen to the group 10.2.0.255"), "{}", judged.text());
}

/// Something on the left that has no address, of which the claim speaks, with a policy of its own.
fn listener(test: &str, policy: &str) -> Judged {
    let changes = [
        (
            "nodes:\n",
            "nodes:\n  c: { role: host, policy: c.rules, interfaces: { eth0: { antispoof: off } } }\n",
        ),
        (r#"["a:eth0", "r:l"]"#, r#"["a:eth0", "r:l", "c:eth0"]"#),
        (r#"to: "zone:right""#, r#"to: "node:c""#),
    ];
    let files = [("topology.yaml", &*with(PAIR, &changes)), ("r.rules", &*rules("")), ("c.rules", policy)];
    judge(test, &files)
}

/// Who listens to a group on its segment is not known, so that nothing is certain of it.
#[test]
fn a_group_is_perhaps_heard_by_every_node_on_its_segment() {
    let listens = listener("group-heard", "policy c {\n  default allow\n}\n");
    assert_eq!(listens.verdicts(), "apart=undetermined", "{}", listens.text());
    let asked = &listens.claim("apart").open;
    let question = |open: &isoaudit::verdict::Open| open.what.starts_with("whether c listens to the group ");
    assert!(asked.iter().any(|open| question(open) && open.span.is_some()), "{asked:?}");
    let deaf = listener("group-unheard", "policy c {\n  default deny\n}\n");
    assert_eq!(deaf.verdicts(), "apart=holds", "{}", deaf.text());
}

/// A copy leaves before any filter of the filter table; what a table of another sort does is not followed.
#[test]
fn a_target_that_copies_is_no_absence() {
    let filter = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\nCOMMIT\n";
    let chains = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    let chains: String = chains.map(|name| format!(":{name} ACCEPT [0:0]\n")).concat();
    let tee = format!("*mangle\n{chains}-A PREROUTING -j TEE --gateway 10.2.0.10\nCOMMIT\n");
    let of = |test: &str, dump: &str| {
        let config = "    config: { iptables: iptables.txt, nftables: none }\n";
        let topology = with(PAIR, &[("    policy: r.rules\n", config)]);
        judge(test, &[("topology.yaml", &topology), ("iptables.txt", dump)])
    };
    let closed = of("copies-none", filter);
    assert_eq!(closed.verdicts(), "apart=holds", "{}", closed.text());
    let copies = of("copies", &format!("{tee}{filter}"));
    assert_eq!(copies.verdicts(), "apart=undetermined", "{}", copies.text());
    let named = copies.named_lines("apart");
    assert!(named.iter().any(|line| line.contains("TEE") || line.contains("*mangle")), "{named:?}");
}
