//! Rule 5.3: translations follow connections, and what has none is not translated.

use super::*;

/// Whatever comes from `a` is translated to go to a decoy, so that nothing gets to `t`.
const DECOY: &str = r#"isoaudit: 1
zones: { wan: {}, lan: {} }
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
assume: { no-reflection: "a test", static-neighbours: "a test" }
nodes:
  a: { role: host, gateway: 192.0.2.1, interfaces: { eth0: { ipv4: 192.0.2.9/24 } } }
  t: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24 } } }
  decoy: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.99/24 } } }
  gw:
    role: firewall
    WHAT
    interfaces: { wan0: { ipv4: 192.0.2.1/24, zone: wan }, lan0: { ipv4: 10.1.0.1/24, zone: lan } }
links:
  - endpoints: ["a:eth0", "gw:wan0"]
  - endpoints: ["t:eth0", "decoy:eth0", "gw:lan0"]
claims:
  - { id: decoyed, isolated: { from: "node:a", to: "node:t" } }
  - { id: caught, isolated: { from: "node:a", to: "node:decoy" } }
"#;

const RULES: &str = "policy gw {
  default deny
  rule in { allow from zone wan to any state new }
  rule quiet { deny from self to any }
}
nat gw {
  dnat from zone wan to any as 10.1.0.99
}
";

const TABLES: &str = "*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i wan0 -j DNAT --to-destination 10.1.0.99
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
-A FORWARD -i wan0 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT
COMMIT
";

fn by_policy(test: &str, rules: &str, changes: &[(&str, &str)]) -> String {
    let text = with(DECOY, &[("WHAT", "policy: gw.rules")]);
    judge(test, &[("topology.yaml", &with(&text, changes)), ("gw.rules", rules)]).verdicts()
}

fn by_tables(test: &str, tables: &str) -> String {
    let config = "config: { iptables: gw.txt, ip6tables: none, nftables: none }";
    judge(test, &[("topology.yaml", &with(DECOY, &[("WHAT", config)])), ("gw.txt", tables)]).verdicts()
}

#[test]
fn what_is_translated_goes_where_it_is_translated_to() {
    assert_eq!(by_policy("decoy-policy", RULES, &[]), "decoyed=holds caught=violated");
    assert_eq!(by_tables("decoy-tables", TABLES), "decoyed=holds caught=violated");
    let without = RULES.split("nat gw").next().unwrap();
    assert_eq!(by_policy("decoy-none", without, &[]), "decoyed=violated caught=violated");
}

#[test]
fn what_has_no_connection_passes_untranslated() {
    let any_state = RULES.replace(" state new", "");
    assert_eq!(by_policy("decoy-invalid", &any_state, &[]), "decoyed=undetermined caught=violated");
    let any_state = TABLES.replace(" -m conntrack --ctstate NEW,ESTABLISHED", "");
    assert_eq!(by_tables("decoy-invalid-tables", &any_state), "decoyed=undetermined caught=violated");
}

#[test]
fn a_list_knows_what_has_been_translated() {
    let tables = |test: &str, asks: &str| {
        by_tables(
            test,
            &TABLES.replace("-m conntrack --ctstate NEW,ESTABLISHED", &format!("-p tcp -m conntrack {asks}")),
        )
    };
    assert_eq!(tables("status-dnat", "--ctstate DNAT"), "decoyed=holds caught=violated");
    assert_eq!(tables("status-not", "! --ctstate DNAT"), "decoyed=undetermined caught=undetermined");
    // Where something translates, connections that would look the same behind it get other source ports.
    assert_eq!(tables("status-snat", "--ctstate SNAT"), "decoyed=holds caught=undetermined");
}

#[test]
fn what_is_kept_from_the_tracker_is_not_translated() {
    // Of UDP every packet opens a connection or is of one, unless it is kept from the tracker.
    let udp = TABLES.replace("-m conntrack --ctstate NEW,ESTABLISHED", "-p udp");
    assert_eq!(by_tables("decoy-udp", &udp), "decoyed=holds caught=violated");
    let raw = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -p udp -j CT --notrack\nCOMMIT\n";
    let untracked = by_tables("decoy-untracked", &format!("{raw}{udp}"));
    assert_eq!(untracked, "decoyed=undetermined caught=undetermined");
}

#[test]
fn an_unknown_kind_may_filter_before_it_translates_and_let_strangers_in() {
    let unknown = ("WHAT", "kind: acme\n    policy: gw.rules");
    let text = with(DECOY, &[unknown, ("assume: { ", "assume: { symmetric-nat: \"a test\", ")]);
    let judged = judge("decoy-kind", &[("topology.yaml", &text), ("gw.rules", RULES)]);
    assert_eq!(judged.verdicts(), "decoyed=undetermined caught=undetermined", "{}", judged.text());
    assert!(judged.text().contains("`kind: linux`, if that is what it runs"), "{}", judged.text());
}

/// A border publishes `web`, and whoever has that gets on to `t`, by a line that nobody from outside can use.
const PUBLISHED: &str = r#"isoaudit: 1
zones: { wan: {}, lan: {} }
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
assume: { no-reflection: "a test", static-neighbours: "a test", no-hidden-forwarding: "a test" }
groups: { hosts: { role: host } }
nodes:
  a: { group: hosts, gateway: 192.0.2.1, interfaces: { eth0: { ipv4: 192.0.2.9/30 } } }
  web:
    group: hosts
    gateway: 10.1.0.1
    interfaces: { eth0: { ipv4: 10.1.0.2/30 }, eth1: { ipv4: 10.2.0.1/30 } }
  t: { group: hosts, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.2/30 } } }
  gw:
    role: firewall
    policy: gw.rules
    interfaces: { wan0: { ipv4: 192.0.2.10/30, zone: wan }, lan0: { ipv4: 10.1.0.1/30, zone: lan } }
links:
  - endpoints: ["a:eth0", "gw:wan0"]
  - endpoints: ["web:eth0", "gw:lan0"]
  - endpoints: ["web:eth1", "t:eth0"]
claims:
  - id: away
    isolated: { from: "node:a", to: "node:t", except: [{ from: "node:a", to: "node:FAR", service: tcp/443 }] }
"#;

#[test]
fn a_channel_ends_where_its_packets_are_translated_to_go() {
    let rules = "policy gw {
  default deny
  rule web { allow from zone wan to 10.1.0.2 service tcp/443 state new }
  rule quiet { deny from self to any }
}
nat gw {
  dnat from zone wan to 192.0.2.10 service tcp/443 as 10.1.0.2
}
";
    let text = with(PUBLISHED, &[("gateway: 192.0.2.1,", "gateway: 192.0.2.10,")]);
    for (test, far) in [("channel-plain", "web"), ("channel-translated", "gw")] {
        let judged = judge(test, &[("topology.yaml", &with(&text, &[("FAR", far)])), ("gw.rules", rules)]);
        assert_eq!(judged.verdicts(), "away=undetermined", "{far}: {}", judged.text());
        let text = judged.text();
        assert!(text.contains("far end of the excepted channel node:a to"), "{text}");
    }
}
