//! Rule 4.5: choices of the network. A violation needs one of them, and says so; a required flow needs all.

use super::*;

/// Two ways between the routers `w` and `e`, by `n` and by `s`; only `n` passes anything unless `south` says otherwise.
const DIAMOND: &str = r#"isoaudit: 1
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: loose } }
assume: { static-neighbours: "a test", no-reflection: "a test" }
zones: { west: {}, east: {} }
nodes:
  h: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24, zone: west } } }
  k: { role: host, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.10/24, zone: east } } }
  w:
    role: router
    interfaces: { h: { ipv4: 10.1.0.1/24 }, n: { ipv4: 10.3.0.1/31 }, s: { ipv4: 10.4.0.1/31 } }
    routes: [ { to: 10.2.0.0/24, via: [10.3.0.0, 10.4.0.0] } ]
  e:
    role: router
    interfaces: { k: { ipv4: 10.2.0.1/24 }, n: { ipv4: 10.5.0.1/31 }, s: { ipv4: 10.6.0.1/31 } }
    routes: [ { to: 10.1.0.0/24, via: [10.5.0.0, 10.6.0.0] } ]
  n:
    role: router
    interfaces: { w: { ipv4: 10.3.0.0/31 }, e: { ipv4: 10.5.0.0/31 } }
    routes: [ { to: 10.1.0.0/24, via: 10.3.0.1 }, { to: 10.2.0.0/24, via: 10.5.0.1 } ]
  s:
    role: router
    policy: s.rules
    interfaces: { w: { ipv4: 10.4.0.0/31 }, e: { ipv4: 10.6.0.0/31 } }
    routes: [ { to: 10.1.0.0/24, via: 10.4.0.1 }, { to: 10.2.0.0/24, via: 10.6.0.1 } ]
links:
  - endpoints: ["h:eth0", "w:h"]
  - endpoints: ["k:eth0", "e:k"]
  - endpoints: ["w:n", "n:w"]
  - endpoints: ["w:s", "s:w"]
  - endpoints: ["e:n", "n:e"]
  - endpoints: ["e:s", "s:e"]
claims:
  - { id: talk, reachable: { from: "node:h", to: "node:k", packets: tcp/443 } }
  - { id: apart, isolated: { from: "zone:west", to: "node:k" } }
"#;

fn diamond(test: &str, changes: &[(&str, &str)], south: &str) -> Judged {
    let policy = format!("policy s {{\n  default deny\n{south}\n}}\n");
    judge(test, &[("topology.yaml", &with(DIAMOND, changes)), ("s.rules", &policy)])
}

const THERE: &str = "  rule there { allow from 10.1.0.0/24 to 10.2.0.0/24 stateless }";
const BACK: &str = "  rule back { allow from 10.2.0.0/24 to 10.1.0.0/24 stateless }";

#[test]
fn a_required_flow_needs_every_way_that_the_network_may_choose() {
    let both = diamond("ways-both", &[], &format!("{THERE}\n{BACK}"));
    assert_eq!(both.claim("talk").verdict, Verdict::Holds, "{}", both.text());
    for (test, south) in [("ways-there", THERE), ("ways-back", BACK), ("ways-none", "")] {
        let judged = diamond(test, &[], south);
        assert_eq!(judged.claim("talk").verdict, Verdict::Undetermined, "{test}: {}", judged.text());
        let text = judged.text();
        assert!(text.contains("whether every way that the network may choose between h and k"), "{text}");
    }
    let north =
        [("via: [10.3.0.0, 10.4.0.0]", "via: 10.3.0.0"), ("via: [10.5.0.0, 10.6.0.0]", "via: 10.5.0.0")];
    let one = diamond("ways-one", &north, "");
    assert_eq!(one.claim("talk").verdict, Verdict::Holds, "{}", one.text());
}

#[test]
fn one_way_is_enough_for_a_violation_which_says_on_what_it_hangs() {
    let judged = diamond("ways-violated", &[], "");
    assert_eq!(judged.claim("apart").verdict, Verdict::Violated, "{}", judged.text());
    assert!(judged.text().contains("depends on the hash at w"), "{}", judged.text());
}
