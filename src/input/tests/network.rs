//! From a description to the network and its claims.

use super::{Folder, messages};
use crate::claim::selector::Expr;
use crate::claim::{Door, Statement};
use crate::diag::Diagnostics;
use crate::header::AddressRange;
use crate::input::policy::Date;
use crate::input::{Description, Options, read, read_source};
use crate::model::{Action, Antispoof, Assumption, NodeId, Test};
use crate::source::SourceMap;
use std::path::Path;

const TOPOLOGY: &str = "\
isoaudit: 1
name: region
include: [more/oob.yaml]
sites: { a: { jurisdiction: CN }, b: { jurisdiction: \"NO\" } }
zones: { app: {}, wan: {} }
groups: { servers: { role: host, forwarding: off } }
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
assume: { static-neighbours: \"switches inspect ARP\" }
nodes:
  fw:
    role: firewall
    site: a
    policy: more/border.rules
    labels: { tier: edge }
    interfaces:
      e0: { ipv4: 10.0.0.1/24, zone: app, policy-in: acl }
      e1: { ipv4: 192.0.2.1/30, zone: wan, antispoof: loose }
    routes: [ { to: default, via: 192.0.2.2 } ]
  db1: { group: servers, site: a, gateway: 10.0.0.1, interfaces: { e0: { ipv4: 10.0.0.20/24, zone: app } } }
links:
  - endpoints: [\"fw:e0\", \"db1:e0\"]
  - { endpoints: [\"fw:e1\", internet], transit: [CN, \"NO\"] }
claims:
  - id: shut
    title: nothing leaves
    isolated: { from: \"jurisdiction:CN\", to: \"not jurisdiction:CN\", except: [
      { from: \"node:db1\", to: internet, service: [tcp/443, \"{ udp/53, tcp/53 }\"], replies: allowed } ] }
    severity: low
    controls: [\"PCI-DSS-4.0.1:1.3.1\"]
  - { id: door, only-via: { from: \"site:a\", to: internet, via: [\"fw:e1\", \"rule:fw/out\"] } }
  - { id: home, confined: { within: \"jurisdiction:CN\" } }
";

const RULES: &str = "\
policy fw {
  default deny
  rule out { allow from { zone app, self } to zone wan service tcp/443 }
}
policy acl {
  default allow
  rule no-telnet { deny service tcp/23 }
}
";

const OOB: &str = "isoaudit: 1\nnodes:\n  spare: { interfaces: { e0: { ipv4: 172.16.0.1/24 } } }\n";

fn folder(name: &str) -> Folder {
    Folder::new(name, &[("t.yaml", TOPOLOGY), ("more/border.rules", RULES), ("more/oob.yaml", OOB)])
}

fn describe(name: &str) -> (Description, SourceMap) {
    let folder = folder(name);
    let mut sources = SourceMap::default();
    let description = read(&mut sources, &folder.loader(), Path::new("t.yaml"), &Options::default());
    let description = description.unwrap_or_else(|found| panic!("{:#?}", messages(found, &sources)));
    (description, sources)
}

#[test]
fn everything_that_is_written_reaches_the_network() {
    let (Description { network, warnings, .. }, sources) = describe("network");
    assert!(warnings.is_empty(), "{:?}", messages(warnings, &sources));
    let names: Vec<_> = network.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names[..4], ["fw", "db1", "spare", "internet"]);
    let (fw, db1) = (&network.nodes[0], &network.nodes[1]);
    assert_eq!(fw.labels, [("tier".to_owned(), "edge".to_owned())]);
    assert_eq!((fw.input.len(), fw.forward.len(), fw.output.len()), (1, 1, 1));
    assert_eq!(network.interface(fw.interfaces[0]).ingress.len(), 1);
    assert_eq!(network.filters.len(), 2);
    assert_eq!(db1.role.word(), "host");
    let check = |node: usize, interface: usize| {
        network.interface(network.nodes[node].interfaces[interface]).antispoof[0]
    };
    assert_eq!(check(0, 0), Antispoof::Strict);
    assert_eq!(check(0, 1), Antispoof::Loose);
    assert_eq!(check(1, 0), Antispoof::Strict);
    assert!(network.assumes(Assumption::StaticNeighbours));
    assert_eq!(network.assumptions[&Assumption::StaticNeighbours].value, "switches inspect ARP");
    let place = |span| sources.place(span);
    assert_eq!(place(fw.span), "t.yaml:10:3");
    assert_eq!(place(network.nodes[2].span), "more/oob.yaml:3:3");
    let address = network.interface(fw.interfaces[0]).addresses[0];
    assert_eq!(sources.text(address.span), "10.0.0.1/24");
    assert_eq!(network.own_addresses(NodeId(1)).map(|a| a.to_string()).collect::<Vec<_>>(), ["10.0.0.20"]);
}

#[test]
fn claims_are_read_with_their_places() {
    let (Description { claims, network, .. }, sources) = describe("claims");
    assert_eq!(
        claims.iter().map(|claim| claim.statement.word()).collect::<Vec<_>>(),
        ["isolated", "only-via", "confined"]
    );
    assert!(sources.text(claims[0].span).starts_with("isolated: {"));
    assert_eq!(claims[0].title.as_deref(), Some("nothing leaves"));
    assert_eq!(claims[0].controls, ["PCI-DSS-4.0.1:1.3.1"]);
    let Statement::Isolated(isolated) = &claims[0].statement else { panic!() };
    let services: Vec<_> = isolated.except[0].services.iter().map(ToString::to_string).collect();
    assert_eq!(services, ["tcp/443", "udp/53", "tcp/53"]);
    assert!(isolated.except[0].replies && isolated.trusts.is_none());
    assert_eq!(sources.text(isolated.from.span), "jurisdiction:CN");
    let Statement::OnlyVia(only_via) = &claims[1].statement else { panic!() };
    let doors: Vec<Door> = only_via.via.iter().map(|door| door.value).collect();
    assert_eq!(doors[0], Door::Interface(network.nodes[0].interfaces[1]));
    // The rule stands in the forward list and in the output list.
    assert_eq!(doors.len(), 3);
    assert!(doors[1..].iter().all(|door| matches!(door, Door::Rule { .. })));
}

#[test]
fn a_description_may_come_from_a_pipe() {
    let folder = folder("pipe");
    let mut sources = SourceMap::default();
    let source = sources.add("<stdin>", TOPOLOGY);
    let Description { network, claims, .. } =
        read_source(&mut sources, &folder.loader(), source, &Options::default()).unwrap();
    assert_eq!((network.name.as_str(), network.nodes.len() > 3, claims.len()), ("region", true, 3));
    let resolved = crate::input::resolve_source(&mut sources, &folder.loader(), source).unwrap();
    assert!(serde_yaml::to_string(&resolved).unwrap().contains("spare:"));
}

#[test]
fn what_is_resolved_means_the_same() {
    let folder = folder("again");
    let mut sources = SourceMap::default();
    let first = crate::input::resolve(&mut sources, &folder.loader(), Path::new("t.yaml")).unwrap();
    let text = serde_yaml::to_string(&first).unwrap();
    let source = sources.add("resolved", text.clone());
    let again = crate::input::resolve_source(&mut sources, &folder.loader(), source).unwrap();
    assert_eq!(serde_yaml::to_string(&again).unwrap(), text);
    let network = read_source(&mut sources, &folder.loader(), source, &Options::default()).unwrap().network;
    let (original, _) = describe("original");
    let facts = |network: &crate::model::Network| {
        let node = |node: &crate::model::Node| {
            (
                node.name.clone(),
                node.role.clone(),
                node.kind.clone(),
                node.forwarding,
                node.site,
                node.labels.clone(),
            )
        };
        let nodes: Vec<_> = network.nodes.iter().map(node).collect();
        let interfaces: Vec<_> =
            network.interfaces.iter().map(|i| (i.name.clone(), i.antispoof, i.ipv6, i.zone)).collect();
        let segments: Vec<_> =
            network.segments.iter().map(|s| (s.name.clone(), s.attached.clone())).collect();
        (nodes, interfaces, segments)
    };
    assert_eq!(facts(&network), facts(&original.network));
}

#[test]
fn errors_of_policies_claims_and_names_come_together() {
    let text = TOPOLOGY.replace("group: servers", "group: server").replace("zone: wan,", "zone: van,");
    let text = text.replace("\"site:a\"", "\"site:z\"");
    let rules = RULES.replace("zone wan", "zone lan");
    let folder =
        Folder::new("together", &[("t.yaml", &text), ("more/border.rules", &rules), ("more/oob.yaml", OOB)]);
    let mut sources = SourceMap::default();
    let found: Diagnostics =
        read(&mut sources, &folder.loader(), Path::new("t.yaml"), &Options::default()).unwrap_err();
    assert_eq!(
        messages(found, &sources),
        [
            "t.yaml:17:39: nothing declares a zone of the name `van`",
            "t.yaml:19:17: the group `server` is not declared",
            "t.yaml:30:41: there is no site `z`",
            "more/border.rules:3:52: no zone `lan` is declared",
        ]
    );
}

#[test]
fn translations_stand_where_packets_meet_them() {
    let nat = "nat fw {\n  snat from zone app to zone wan as 192.0.2.1\n  snat from self as interface\n  \
               snat from 10.4.0.0/24 as prefix 192.0.2.0/24\n  \
               dnat from zone wan to self service tcp/8443 as 10.1.0.20 port 443\n}\n";
    let rules = format!("{RULES}{nat}");
    let files = [("t.yaml", TOPOLOGY), ("more/border.rules", &*rules), ("more/oob.yaml", OOB)];
    let folder = Folder::new("translations", &files);
    let mut sources = SourceMap::default();
    let network =
        read(&mut sources, &folder.loader(), Path::new("t.yaml"), &Options::default()).unwrap().network;
    let translating = &network.nodes[0].translating;
    assert!(!translating.opens && translating.input.is_empty() && translating.output.is_empty());
    let mut told = Vec::new();
    for (spot, list) in [("in", &translating.prerouting), ("out", &translating.postrouting)] {
        let [hook] = list[..] else { panic!("one list") };
        let filter = network.filter(hook.filter);
        for rule in &filter.chains[hook.chain].rules {
            let Action::Translate(index) = rule.action else { panic!() };
            let tests: Vec<String> = rule
                .matches
                .iter()
                .map(|one| format!("{}{}", if one.negated { "not " } else { "" }, word(&one.test)))
                .collect();
            told.push(format!("{spot}: {} -> {:?}", tests.join(", "), filter.translations[index].to));
        }
    }
    let expected = [
        "in: DestinationIsOwn, InZone(ZoneId(1)), tcp/8443, Family(V4) -> Range(AddressRange { low: 10.1.0.20, high: 10.1.0.20 })",
        "out: InZone(ZoneId(0)), OutZone(ZoneId(1)), Family(V4) -> Range(AddressRange { low: 192.0.2.1, high: 192.0.2.1 })",
        "out: not InName(\"+\") -> Interface",
        "out: from 10.4.0.0, Family(V4) -> Prefix(192.0.2.0/24)",
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_day_reaches_the_policies() {
    let rules = RULES.replace("rule out { allow", "rule out { allow until 2027-03-31");
    assert_ne!(rules, RULES);
    let files = [("t.yaml", TOPOLOGY), ("more/border.rules", &*rules), ("more/oob.yaml", OOB)];
    let folder = Folder::new("day", &files);
    let on = |day: Option<&str>| {
        let mut sources = SourceMap::default();
        let options = Options { as_of: day.map(|day| Date::read(day).unwrap()) };
        let network = read(&mut sources, &folder.loader(), Path::new("t.yaml"), &options).unwrap().network;
        assert!(!network.unknowns.iter().any(|unknown| unknown.what.contains("2027-03-31")));
        let ended = network.ledger.iter().filter(|entry| entry.text.contains("gone on 2027-03-31"));
        ended.map(|entry| sources.place(entry.span.unwrap())).collect::<Vec<String>>().len()
    };
    assert_eq!(on(None), 0);
    assert_eq!(on(Some("2027-03-31")), 0);
    assert_eq!(on(Some("2027-04-01")), 1);
}

#[test]
fn labels_of_interfaces_reach_selectors_and_policies() {
    let text = TOPOLOGY
        .replace("e1: { ipv4: 192.0.2.1/30,", "e1: { ipv4: 192.0.2.1/30, labels: { feed: east },")
        .replace("isolated: { from: \"jurisdiction:CN\"", "isolated: { from: \"label:feed=east\"");
    let rules = RULES.replace("to zone wan", "to label feed=east");
    let files = [("t.yaml", &*text), ("more/border.rules", &*rules), ("more/oob.yaml", OOB)];
    let folder = Folder::new("labels", &files);
    let mut sources = SourceMap::default();
    let read = read(&mut sources, &folder.loader(), Path::new("t.yaml"), &Options::default());
    let description = read.map_err(|found| messages(found, &sources)).unwrap();
    let network = &description.network;
    let labels: Vec<_> = network.interfaces.iter().filter(|one| !one.labels.is_empty()).collect();
    assert_eq!(labels.len(), 1);
    assert_eq!((labels[0].name.as_str(), labels[0].addresses.len()), ("e1", 1));
    let Statement::Isolated(claim) = &description.claims[0].statement else { panic!() };
    assert!(matches!(&claim.from.expr, Expr::Label(key, value) if key == "feed" && value == "east"));
    // In the policy it is the address of that interface alone.
    let own = AddressRange::single("192.0.2.1".parse().unwrap());
    let rules = network.filters.iter().flat_map(|filter| &filter.chains).flat_map(|chain| &chain.rules);
    let tests = rules.filter(|rule| rule.name == "out").flat_map(|rule| &rule.matches);
    let found = tests.filter(|one| one.test == Test::Destination(vec![own])).count();
    assert!(found > 0);
    let resolved = crate::input::resolve(&mut sources, &folder.loader(), Path::new("t.yaml")).unwrap();
    assert!(serde_yaml::to_string(&resolved).unwrap().contains("feed: east"));
}

fn word(test: &Test) -> String {
    let addresses =
        |ranges: &[AddressRange]| ranges.iter().map(|r| r.low.to_string()).collect::<Vec<_>>().join(" ");
    match test {
        Test::Source(ranges) => format!("from {}", addresses(ranges)),
        Test::Destination(ranges) => format!("to {}", addresses(ranges)),
        Test::Service(services) => services.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}
