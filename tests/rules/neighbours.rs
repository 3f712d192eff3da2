//! Rule 2.4: honest senders have a gateway of their own, which is the adversary's choice where it shares their segment, unless
//! somebody guards ARP and router advertisements.

use super::*;

/// A host with a gateway towards its peer, and a second router on its segment with a line abroad. Only forged ARP brings
/// packets between the two there.
const TWO_GATEWAYS: &str = r#"isoaudit: 1
sites: { home1: { jurisdiction: SE }, away1: { jurisdiction: NO } }
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
nodes:
  h: { role: host, site: home1, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24 } } }
  k: { role: host, site: home1, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.10/24 } } }
  right: { role: router, site: home1, interfaces: { h: { ipv4: 10.1.0.1/24 }, k: { ipv4: 10.2.0.1/24 } } }
  wrong:
    role: router
    site: home1
    policy: wrong.rules
    interfaces: { h: { ipv4: 10.1.0.2/24 }, away: { ipv4: 192.0.2.1/31 } }
    routes: [ { to: default, via: 192.0.2.0 } ]
  x: { role: router, site: away1, interfaces: { home: { ipv4: 192.0.2.0/31 } } }
links:
  - endpoints: ["h:eth0", "right:h", "wrong:h"]
  - endpoints: ["k:eth0", "right:k"]
  - { endpoints: ["wrong:away", "x:home"], transit: [SE, NO] }
claims:
  - { id: home, confined: { within: "jurisdiction:SE" } }
  - { id: talk, reachable: { from: "node:h", to: "node:k" } }
"#;

/// The second router speaks for nobody but whom it forwards, connections or not.
const WRONG: &str = r#"policy wrong {
  default allow
  rule quiet { deny from self to any }
  rule deaf { deny from any to self }
  rule odd { deny state invalid }
}
"#;

fn judged(test: &str, changes: &[(&str, &str)]) -> Judged {
    judge(test, &[("topology.yaml", &with(TWO_GATEWAYS, changes)), ("wrong.rules", WRONG)])
}

const GUARDED: (&str, &str) = ("nodes:\n", "assume: { static-neighbours: \"a test\" }\nnodes:\n");

#[test]
fn an_honest_senders_gateway_is_the_choice_of_the_adversary_that_shares_its_segment() {
    let open = judged("gateway-open", &[]);
    assert_eq!(open.verdicts(), "home=violated talk=holds", "{}", open.text());
    let text = open.text();
    assert!(text.contains("the adversary on the segment can draw it to wrong:h"), "{text}");
    assert!(text.contains("sent by an honest sender at h"), "{text}");
}

#[test]
fn guarded_neighbours_leave_packets_to_their_next_hop() {
    let guarded = judged("gateway-guarded", &[GUARDED]);
    assert_eq!(guarded.verdicts(), "home=holds talk=holds", "{}", guarded.text());
    // Even so, a gateway that is the wrong one is the way.
    let misled = judged("gateway-misled", &[GUARDED, ("gateway: 10.1.0.1", "gateway: 10.1.0.2")]);
    assert_eq!(misled.verdicts(), "home=violated talk=violated", "{}", misled.text());
}

/// To any device of a segment on which it stands the adversary sends whatever it likes (rule 2.2): no guard stops that.
#[test]
fn an_adversary_needs_no_forged_arp_to_choose_its_own_gateway() {
    let isolated = r#"isolated: { from: "node:h", to: "not jurisdiction:SE" }"#;
    let changes = [(r#"confined: { within: "jurisdiction:SE" }"#, isolated), GUARDED];
    let there = judged("gateway-chosen", &changes);
    assert_eq!(there.verdicts(), "home=violated talk=holds", "{}", there.text());
}
