//! Rules 3.5 and 3.6: what nobody says of IPv6, of a missing file, or of source routes is unknown, not absent.

use super::*;

const CLOSED: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\nCOMMIT\n";

/// The firewall by its own files, which say nothing of IPv6 unless `config` names one.
fn dumped(test: &str, ipv6: &str, config: &str) -> Judged {
    let config = format!("    config: {{ iptables: v4.txt, nftables: none{config} }}\n");
    let changes = [("    policy: r.rules\n", &*config), ("ipv6: off, ", ipv6)];
    judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("v4.txt", CLOSED), ("v6.txt", CLOSED)])
}

#[test]
fn a_file_for_one_family_says_nothing_of_the_other() {
    let unsaid = dumped("unsaid", "", "");
    assert_eq!(unsaid.verdicts(), "apart=undetermined", "{}", unsaid.text());
    assert!(unsaid.text().contains("IPv6") || unsaid.text().contains("ip6tables"), "{}", unsaid.text());
    let off = dumped("said-off", "ipv6: off, ", "");
    assert_eq!(off.verdicts(), "apart=holds", "{}", off.text());
    let filtered = dumped("said-filtered", "", ", ip6tables: v6.txt");
    assert_eq!(filtered.verdicts(), "apart=holds", "{}", filtered.text());
}

/// The forward filter sees the device's own address, and the packet goes on to where it wants.
#[test]
fn a_packet_may_name_its_own_way_past_the_forward_filter() {
    let of = |test: &str, kind: &str, assumed: &str| {
        let kind = format!("    role: firewall\n    kind: {kind}\n");
        let changes = [("    role: firewall\n", &*kind), ("no-reflection: \"a test\"", assumed)];
        let policy = rules("  rule own { allow from any to 10.1.0.1 stateless }");
        judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("r.rules", &policy)])
    };
    let plain = "no-reflection: \"a test\"";
    let unknown = of("routed-unknown", "ios", plain);
    assert_eq!(unknown.verdicts(), "apart=undetermined", "{}", unknown.text());
    let linux = of("routed-linux", "linux", plain);
    assert_eq!(linux.verdicts(), "apart=holds", "Linux refuses source routes: {}", linux.text());
    let assumed = of("routed-assumed", "ios", "no-reflection: \"a test\", no-source-routing: \"a test\"");
    assert_eq!(assumed.verdicts(), "apart=holds", "{}", assumed.text());
}
