//! Which interfaces share a broadcast domain (SEMANTICS.md sections 1.1, 1.5 and 3.10).

use super::describe::*;
use crate::model::build::{Cabling, EndSpec, TunnelSpec};
use crate::model::{Existence, Transit};

#[test]
fn the_sample_has_one_segment_for_each_vlan_and_line() {
    let nodes = vec![
        node(
            "firewall",
            "fw",
            &[
                ("eth0", "192.0.2.1/30"),
                ("eth1.110", "10.1.0.1/24 vlan=app"),
                ("eth1.120", "10.2.0.1/24 vlan=edge"),
                ("eth1", "trunk=app,edge"),
            ],
        ),
        node("switch", "sw", &[("up", "trunk=app,edge"), ("p1", "access=app"), ("p2", "access=edge")]),
        node("host", "db", &[("eth0", "10.1.0.20/24")]),
        node("host", "web", &[("eth0", "10.2.0.10/24")]),
        node("router", "rtr", &[("eth0", "192.0.2.2/30")]),
    ];
    let links = ["fw:eth0 rtr:eth0 via CN HK", "fw:eth1 sw:up", "sw:p1 db:eth0", "sw:p2 web:eth0"];
    let network = network(builder(nodes, &links));
    assert_eq!(
        network.shapes(),
        [
            "fw:eth0 rtr:eth0 |",
            "fw:eth1.110 db:eth0 | fw:eth1 sw:up sw:p1",
            "fw:eth1.120 web:eth0 | fw:eth1 sw:up sw:p2",
        ]
    );
    let names: Vec<_> = network.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["fw:eth0 – rtr:eth0", "vlan app (110) at sw", "vlan edge (120) at sw"]);
    let Transit::Known(countries) = &network.segments[0].transit else { panic!() };
    assert_eq!(countries.iter().map(|c| c.value.as_str()).collect::<Vec<_>>(), ["CN", "HK"]);
    assert!(matches!(network.segments[1].transit, Transit::Unknown(..)));
    let vlan = |index: usize| network.segments[index].vlan.map(|id| network.vlans[id.index()].tag);
    assert_eq!([vlan(0), vlan(1), vlan(2)], [None, Some(110), Some(120)]);
}
