//! Rule 3.2: what a device sends itself goes through its own lists and its own translations, each of which sees it as it
//! is by then.

use super::*;

/// Everything that `h` sends to anybody within stays there, unless it translates that.
const HOME: &str = r#"isoaudit: 1
sites: { in1: { jurisdiction: SE }, out1: { jurisdiction: NO } }
defaults: { kind: linux, ipv6: off, forwarding: off, interfaces: { antispoof: strict } }
assume: { static-neighbours: "a test", no-reflection: "a test" }
nodes:
  h:
    role: host
    site: in1
    config: { iptables: h.txt, ip6tables: none, nftables: none }
    interfaces: { eth0: { ipv4: 10.1.0.1/24 }, eth1: { ipv4: 192.0.2.1/30 } }
  k: { role: host, site: in1, interfaces: { eth0: { ipv4: 10.1.0.2/24 } } }
  o: { role: host, site: out1, interfaces: { eth0: { ipv4: 192.0.2.2/30 } } }
links:
  - endpoints: ["h:eth0", "k:eth0"]
  - { endpoints: ["h:eth1", "o:eth0"], transit: [SE, NO] }
claims:
  - { id: home, confined: { within: "jurisdiction:SE" } }
"#;

/// The verdict with these rules of `h`, by table, beside a translation of what is sent to an address.
fn translating(test: &str, to: &str, tables: &[(&str, &str)]) -> String {
    let nat = format!("-A OUTPUT -d {to} -j DNAT --to-destination 192.0.2.2");
    // Errors may be about any connection, and go where that goes.
    let filter = "-A OUTPUT -p icmp -j DROP";
    let mut text = String::new();
    for table in ["raw", "mangle", "nat", "filter"] {
        let chains = ["OUTPUT", "POSTROUTING"]
            .iter()
            .filter(|chain| **chain == "OUTPUT" || !["raw", "filter"].contains(&table));
        let chains: String = chains.map(|chain| format!(":{chain} ACCEPT [0:0]\n")).collect();
        let all = tables.iter().copied().chain([("nat", nat.as_str()), ("filter", filter)]);
        let rules: String = all.filter(|(of, _)| *of == table).map(|(_, rule)| format!("{rule}\n")).collect();
        text += &format!("*{table}\n{chains}{rules}COMMIT\n");
    }
    judge(&format!("own-{test}"), &[("topology.yaml", HOME), ("h.txt", &text)]).verdicts()
}

#[test]
fn what_a_node_sends_to_itself_leaves_it_translated() {
    assert_eq!(translating("nobody", "10.9.9.9", &[]), "home=holds");
    assert_eq!(translating("neighbour", "10.1.0.2", &[]), "home=violated");
    assert_eq!(translating("itself", "10.1.0.1", &[]), "home=violated");
}

#[test]
fn its_output_list_sees_the_interface_of_the_first_route() {
    for (to, first) in [("10.1.0.1", "lo"), ("10.1.0.2", "eth0")] {
        let drops = |out: &str| format!("-A OUTPUT -o {out} -j DROP");
        assert_eq!(translating(&format!("last-{first}"), to, &[("filter", &drops("eth1"))]), "home=violated");
        assert_eq!(translating(&format!("first-{first}"), to, &[("filter", &drops(first))]), "home=holds");
        let late = drops("eth1").replace("OUTPUT", "POSTROUTING");
        assert_eq!(translating(&format!("late-{first}"), to, &[("mangle", &late)]), "home=holds");
    }
}

#[test]
fn lists_before_the_translation_see_what_was_sent_first() {
    for table in ["raw", "mangle"] {
        let drops = |to: &str| format!("-A OUTPUT -d {to} -j DROP");
        let (before, behind) = (drops("10.1.0.2"), drops("192.0.2.2"));
        let tables = |rule: &str| translating(&format!("early-{table}"), "10.1.0.2", &[(table, rule)]);
        assert_eq!(tables(&before), "home=holds", "{table}");
        assert_eq!(tables(&behind), "home=violated", "{table}");
    }
    let drops = "-A OUTPUT -d 192.0.2.2 -j DROP";
    assert_eq!(translating("filter", "10.1.0.2", &[("filter", drops)]), "home=holds");
}
