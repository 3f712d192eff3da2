//! The ways through that an auditor is likely to forget, each a small network on which one that forgets it would say "holds". The
//! kernel shows the packet arriving; the auditor must not say that the claim holds. Beside each stands its twin without the way
//! through, of which it must say so, for an auditor that never says "holds" would pass as well.

use super::bench::{Bench, From};
use super::beside::{Probe, Spot, beside_interpreter, observe, walked};
use super::described::{check, describe, folder};
use super::frame::{Shape, encode, error_about};
use super::guard::isolated;
use super::spec::{Backend, NodeSpec, RouteAction, RuleSpec, Ruleset, Spec, TableText};
use isoaudit::header::{Fragment, Packet, proto, tcp_flags};
use isoaudit::verdict::Verdict;
use std::net::IpAddr;

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn packet(src: &str, dst: &str, proto: u8) -> Packet {
    let flags = if proto == proto::TCP { tcp_flags::SYN } else { 0 };
    let has_ports = proto::has_ports(proto);
    let (sport, dport) = if has_ports { (40000, 53) } else { (0, 0) };
    let fragment = Fragment::Whole;
    Packet { src: ip(src), dst: ip(dst), proto, sport, dport, icmp_type: 0, icmp_code: 0, flags, fragment }
}

fn icmp(src: &str, dst: &str, icmp_type: u8) -> Packet {
    Packet { icmp_type, ..packet(src, dst, proto::ICMP) }
}

/// Somebody on a line of a host, to the router there.
pub(super) fn from_line(link: usize, packet: Packet) -> Probe {
    Probe { from: From::Line { link, to: 1 }, packet, shape: Shape::plain(0x7000 + link as u32) }
}

/// A network with what is sent there and whom it must not reach.
struct Attack {
    name: &'static str,
    spec: Spec,
    /// The hosts of the claim, by number of their lines.
    from: usize,
    to: usize,
    /// In order; the last arrives.
    sends: Vec<Probe>,
    /// What is made on the bench beside.
    prepare: fn(&Bench),
}

/// A router `r0` with as many hosts as are wanted, each on a line of its own: `h1` on line 0 with 10.1.0.2, and so on.
pub(super) fn star(hosts: usize) -> Spec {
    let mut spec = Spec::new(Backend::Nft, false);
    let router = spec.add(NodeSpec::router("r0"));
    for number in 1..=hosts {
        hang(&mut spec, router, number);
    }
    spec
}

fn hang(spec: &mut Spec, router: usize, number: usize) {
    let mut host = NodeSpec::host(&format!("h{number}"));
    let gateway = format!("10.{number}.0.1");
    host.route("0.0.0.0/0", RouteAction::Via(vec![ip(&gateway)]));
    let host = spec.add(host);
    let own = format!("10.{number}.0.2/30");
    spec.link([host, router], [&[&own], &[&format!("{gateway}/30")]]);
}

fn filtered(mut spec: Spec, chains: [&str; 3], rules: &[&str]) -> Spec {
    spec.nodes[0].tables[0] = table(chains, rules);
    spec
}

fn table([input, forward, output]: [&str; 3], rules: &[&str]) -> Ruleset {
    let chains = [format!("INPUT {input}"), format!("FORWARD {forward}"), format!("OUTPUT {output}")];
    let chains: Vec<&str> = chains.iter().map(String::as_str).collect();
    Ruleset::filter(&chains, rules)
}

fn with_sysctl(mut spec: Spec, keys: &[&str], value: &str) -> Spec {
    let set = keys.iter().map(|key| ((*key).to_owned(), value.to_owned()));
    spec.nodes[0].sysctl.extend(set);
    spec
}

fn strict(spec: Spec) -> Spec {
    with_sysctl(spec, &["net.ipv4.conf.all.rp_filter"], "1")
}

/// Whether it arrives in the kernel, and what the auditor says.
fn run(attack: &Attack) -> (bool, Verdict) {
    let Attack { name, from, to, sends, .. } = attack;
    let mut spec = attack.spec.clone();
    let host = |link: usize| spec.nodes[spec.links[link].ends[0].node].name.clone();
    let claim = format!("isolated: {{ from: \"zone:{}\", to: \"zone:{}\" }}", host(*from), host(*to));
    spec.more = format!("claims:\n  - {{ id: apart, {claim} }}\n");
    let mut bench = Bench::build(&spec).unwrap_or_else(|error| panic!("{name}: {error}"));
    (attack.prepare)(&bench);
    let described = describe(&spec, &bench, folder(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut arrives = false;
    for probe in sends {
        let seen = observe(&mut bench, probe);
        let target = [Spot::Line(*to), Spot::Node(spec.links[*to].ends[0].node)];
        arrives = seen.arrived.iter().chain(&seen.answers).any(|(spot, _)| target.contains(spot));
    }
    (arrives, check(&described.folder).judgements[0].verdict)
}

/// The way is there: the packet arrives, and the claim does not hold. It is closed: it does not arrive, and the claim holds.
fn open_and_closed(name: &'static str, open: Spec, closed: Spec, [from, to]: [usize; 2], sends: &[Probe]) {
    let sends = sends.to_vec();
    let prepare = |_: &Bench| {};
    let open = Attack { name, spec: open, from, to, sends: sends.clone(), prepare };
    judged(&open, &Attack { name, spec: closed, from, to, sends, prepare });
}

fn judged(open: &Attack, closed: &Attack) {
    let name = open.name;
    let (arrives, verdict) = run(open);
    assert!(arrives, "{name}: the packet does not arrive");
    assert_ne!(verdict, Verdict::Holds, "{name}: it arrives, and the claim is said to hold");
    let (arrives, verdict) = run(closed);
    assert!(!arrives, "{name}: it arrives although the way is closed");
    assert_eq!(verdict, Verdict::Holds, "{name}: the way is closed");
}

#[test]
fn anti_spoofing_does_not_stop_answers_where_there_is_no_route() {
    isolated("attacks::anti_spoofing_does_not_stop_answers_where_there_is_no_route", || {
        let open = strict(filtered(star(2), ["DROP", "DROP", "ACCEPT"], &[]));
        let closed = strict(filtered(star(2), ["DROP", "DROP", "DROP"], &[]));
        let spoofed = from_line(0, packet("10.2.0.2", "192.0.2.1", proto::UDP));
        open_and_closed("no-route-spoofed", open, closed, [0, 1], &[spoofed]);
    });
}

#[test]
fn whatever_is_answered_is_reflected_to_its_source() {
    isolated("attacks::whatever_is_answered_is_reflected_to_its_source", || {
        let of = |chains: [&str; 3], rules: &[&str]| filtered(star(3), chains, rules);
        let echo = icmp("10.2.0.2", "10.1.0.1", 8);
        let reset = packet("10.2.0.2", "10.1.0.1", proto::TCP);
        let passing = packet("10.2.0.2", "10.3.0.2", proto::UDP);
        let lost = packet("10.2.0.2", "192.0.2.1", proto::UDP);
        let refused = ["-A FORWARD -j REJECT"];
        let none: [&str; 0] = [];
        let cases: [(&str, [&str; 2], &[&str], Packet); 4] = [
            ("echo-reply", ["ACCEPT", "DROP"], &none, echo),
            ("reset", ["ACCEPT", "DROP"], &none, reset),
            ("reject", ["DROP", "ACCEPT"], &refused, passing),
            ("no-route", ["DROP", "DROP"], &none, lost),
        ];
        for (name, [input, forward], rules, sent) in cases {
            let open = of([input, forward, "ACCEPT"], rules);
            let closed = of([input, forward, "DROP"], rules);
            open_and_closed(name, open, closed, [0, 1], &[from_line(0, sent)]);
        }
        let mut dying = from_line(0, passing);
        dying.shape.ttl = 1;
        let open = of(["DROP", "DROP", "ACCEPT"], &none);
        open_and_closed("time-exceeded", open, of(["DROP", "DROP", "DROP"], &none), [0, 1], &[dying]);
        let refusing = |output: &str| {
            let mut spec = of(["DROP", "DROP", output], &none);
            spec.nodes[0].route("192.0.2.0/24", RouteAction::Unreachable);
            spec
        };
        open_and_closed("unreachable", refusing("ACCEPT"), refusing("DROP"), [0, 1], &[from_line(0, lost)]);
    });
}

#[test]
fn a_table_without_a_route_goes_on_to_the_next() {
    isolated("attacks::a_table_without_a_route_goes_on_to_the_next", || {
        let of = |last: Option<RouteAction>| {
            let mut spec = filtered(star(2), ["DROP", "ACCEPT", "DROP"], &[]);
            let router = &mut spec.nodes[0];
            let incoming = Some("eth0".to_owned());
            router.rules.push(RuleSpec {
                priority: 100,
                v6: false,
                from: None,
                to: None,
                incoming,
                mark: None,
                table: Some(100),
            });
            router.route("192.0.2.0/24", RouteAction::Blackhole);
            router.routes[0].table = 100;
            if let Some(action) = last {
                router.route("0.0.0.0/0", action);
                router.routes[1].table = 100;
            }
            spec
        };
        let sent = from_line(0, packet("10.1.0.2", "10.2.0.2", proto::UDP));
        open_and_closed("fall-through", of(None), of(Some(RouteAction::Blackhole)), [0, 1], &[sent]);
    });
}

#[test]
fn later_fragments_have_no_ports() {
    isolated("attacks::later_fragments_have_no_ports", || {
        let ports = "-A FORWARD -p tcp -m tcp --dport 0:65535 -j DROP";
        let rest = "-A FORWARD -p tcp -j ACCEPT";
        let of = |rules: &[&str]| filtered(star(2), ["DROP", "DROP", "DROP"], rules);
        let mut sent = packet("10.1.0.2", "10.2.0.2", proto::TCP);
        sent.fragment = Fragment::Later;
        let sent = from_line(0, sent);
        // Whoever asks for states puts datagrams together first.
        let tracked = "-A INPUT -m conntrack --ctstate NEW -j DROP";
        open_and_closed("fragments", of(&[ports, rest]), of(&[tracked, ports, rest]), [0, 1], &[sent]);
    });
}

#[test]
fn source_routing_hides_the_destination_from_the_filter() {
    isolated("attacks::source_routing_hides_the_destination_from_the_filter", || {
        let rules = ["-A FORWARD -d 10.2.0.0/30 -j DROP"];
        let of = || filtered(star(2), ["DROP", "ACCEPT", "DROP"], &rules);
        let keys = ["net.ipv4.conf.all.accept_source_route", "net.ipv4.conf.default.accept_source_route"];
        let mut sent = from_line(0, packet("10.1.0.2", "10.1.0.1", proto::UDP));
        // Loose source and record route, one address, not reached yet (RFC 791 section 3.1); padded.
        sent.shape.options = vec![131, 7, 4, 10, 2, 0, 2, 0];
        open_and_closed("source-routing", with_sysctl(of(), &keys, "1"), of(), [0, 1], &[sent]);
    });
}

#[test]
fn a_connection_is_open_on_every_interface() {
    isolated("attacks::a_connection_is_open_on_every_interface", || {
        let rules = [
            "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT",
            "-A FORWARD -i eth0 -o eth1 -p udp -m udp --dport 53 -j ACCEPT",
        ];
        let of = || filtered(star(3), ["DROP", "DROP", "DROP"], &rules);
        let opening = packet("10.1.0.2", "10.2.0.2", proto::UDP);
        let mut answer = packet("10.2.0.2", "10.1.0.2", proto::UDP);
        (answer.sport, answer.dport) = (53, 40000);
        // It is h3 that answers, in the name of h2.
        let sends = [from_line(0, opening), from_line(2, answer)];
        open_and_closed("any-interface", of(), strict(of()), [2, 0], &sends);
    });
}

#[test]
fn errors_are_related_whoever_sends_them() {
    isolated("attacks::errors_are_related_whoever_sends_them", || {
        let opened = "-A FORWARD -i eth0 -o eth1 -p udp -m udp --dport 53 -j ACCEPT";
        let of = |states: &str| {
            let rule = format!("-A FORWARD -m conntrack --ctstate {states} -j ACCEPT");
            strict(filtered(star(3), ["DROP", "DROP", "DROP"], &[&rule, opened]))
        };
        let opening = from_line(0, packet("10.1.0.2", "10.2.0.2", proto::UDP));
        let (error, shape) = error_about(&opening.packet, ip("10.3.0.2"), &opening.shape);
        let telling = Probe { from: From::Line { link: 2, to: 1 }, packet: error, shape };
        let sends = [opening, telling];
        open_and_closed("related", of("RELATED,ESTABLISHED"), of("ESTABLISHED"), [2, 0], &sends);
    });
}

#[test]
fn an_answer_may_be_new_at_the_next_device() {
    isolated("attacks::an_answer_may_be_new_at_the_next_device", || {
        let of = |states: &str| {
            // h1, h2 behind r0, and r1 with h3 beyond.
            let mut spec = star(2);
            let next = spec.add(NodeSpec::router("r1"));
            hang(&mut spec, next, 3);
            spec.link([0, next], [&["10.0.0.1/30"], &["10.0.0.2/30"]]);
            spec.nodes[0].route("10.3.0.0/30", RouteAction::Via(vec![ip("10.0.0.2")]));
            spec.nodes[next].route("0.0.0.0/0", RouteAction::Via(vec![ip("10.0.0.1")]));
            let states = format!("-A FORWARD -m conntrack --ctstate {states} -j ACCEPT");
            spec.nodes[next].tables[0] = table(["DROP", "DROP", "DROP"], &[&states]);
            let rules = [
                "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT",
                "-A FORWARD -i eth1 -o eth0 -p udp -j ACCEPT",
            ];
            filtered(spec, ["DROP", "DROP", "DROP"], &rules)
        };
        // h2 asks h1 in the name of h3; h1 answers h3, through r1 that has seen nothing of it.
        let opening = packet("10.3.0.2", "10.1.0.2", proto::UDP);
        let mut answer = packet("10.1.0.2", "10.3.0.2", proto::UDP);
        (answer.sport, answer.dport) = (53, 40000);
        let sends = [from_line(1, opening), from_line(0, answer)];
        open_and_closed("new-at-the-next", of("NEW,ESTABLISHED"), of("ESTABLISHED"), [0, 2], &sends);
    });
}

#[test]
fn the_last_protocol_stands_behind_extension_headers() {
    isolated("attacks::the_last_protocol_stands_behind_extension_headers", || {
        let of = |rules: &[&str]| {
            let mut spec = filtered(star(2), ["DROP", "DROP", "DROP"], &[]);
            spec.ipv6 = true;
            for (link, ends) in spec.links.iter_mut().enumerate() {
                for (side, end) in ends.ends.iter_mut().enumerate() {
                    end.addresses.push(format!("fd00:{}::{}/127", link + 1, 2 + side).parse().unwrap());
                }
                spec.nodes[ends.ends[0].node]
                    .route("::/0", RouteAction::Via(vec![ip(&format!("fd00:{}::3", link + 1))]));
            }
            spec.nodes[0].tables[1] = table(["DROP", "DROP", "DROP"], rules);
            spec
        };
        let mut sent = from_line(0, packet("fd00:1::2", "fd00:2::2", proto::TCP));
        // Destination options with nothing but padding (RFC 8200 section 4.6).
        sent.shape.extensions = vec![(60, vec![0, 1, 4, 0, 0, 0, 0])];
        let sent = [sent];
        open_and_closed("behind-options", of(&["-A FORWARD -p tcp -j ACCEPT"]), of(&[]), [0, 1], &sent);
        let by_header = "-A FORWARD -m ipv6header --header dst --soft -j ACCEPT";
        open_and_closed("by-header", of(&[by_header]), of(&["-A FORWARD -p udp -j DROP"]), [0, 1], &sent);
    });
}

#[test]
fn what_is_invalid_is_not_translated() {
    isolated("attacks::what_is_invalid_is_not_translated", || {
        let of = |first: &str| {
            // h1 behind r0, which hides it; r1 lets nothing pass that bears the address of r0.
            let mut spec = star(1);
            let next = spec.add(NodeSpec::router("r1"));
            hang(&mut spec, next, 2);
            spec.link([0, next], [&["10.0.0.1/30"], &["10.0.0.2/30"]]);
            spec.nodes[0].route("10.2.0.0/30", RouteAction::Via(vec![ip("10.0.0.2")]));
            let rules = ["-A FORWARD -s 10.0.0.1/32 -j DROP", "-A FORWARD -i eth2 -o eth1 -j ACCEPT"];
            spec.nodes[next].tables[0] = table(["DROP", "DROP", "DROP"], &rules);
            let own = "-A FORWARD -s 10.1.0.2/32 -i eth0 -j ACCEPT";
            let rules: Vec<&str> = [first, own].into_iter().filter(|rule| !rule.is_empty()).collect();
            let mut spec = filtered(spec, ["DROP", "DROP", "DROP"], &rules);
            let chains = ["PREROUTING ACCEPT", "INPUT ACCEPT", "OUTPUT ACCEPT", "POSTROUTING ACCEPT"];
            let hiding = TableText {
                name: "nat".to_owned(),
                chains: chains.map(str::to_owned).to_vec(),
                rules: vec!["-A POSTROUTING -o eth2 -j MASQUERADE".to_owned()],
            };
            spec.nodes[0].tables[0].tables.push(hiding);
            spec
        };
        let plain = from_line(0, packet("10.1.0.2", "10.2.0.2", proto::TCP));
        let mut reset = plain.clone();
        reset.packet.flags = tcp_flags::RST;
        let refused = "-A FORWARD -m conntrack --ctstate INVALID -j DROP";
        let prepare = |_: &Bench| {};
        let attack = |spec: Spec, sent: &Probe| {
            run(&Attack { name: "invalid", spec, from: 0, to: 1, sends: vec![sent.clone()], prepare })
        };
        assert!(!attack(of(""), &plain).0, "what is translated passes r1");
        let (arrives, verdict) = attack(of(""), &reset);
        assert!(arrives, "what is invalid is translated");
        assert_ne!(verdict, Verdict::Holds);
        assert!(!attack(of(refused), &reset).0, "what is invalid passes though it is refused");
    });
}

#[test]
fn whoever_reaches_the_end_of_a_tunnel_sends_what_comes_out_of_it() {
    isolated("attacks::whoever_reaches_the_end_of_a_tunnel_sends_what_comes_out_of_it", || {
        let rules = ["-A INPUT -p udp -m udp --dport 4789 -j ACCEPT", "-A FORWARD -i vx0 -o eth1 -j ACCEPT"];
        let of = || filtered(star(2), ["DROP", "DROP", "DROP"], &rules);
        let mut outer = packet("10.1.0.2", "10.1.0.1", proto::UDP);
        outer.dport = 4789;
        let mut sent = from_line(0, outer);
        // VXLAN (RFC 7348 section 5), Ethernet, and a packet from nobody.
        let mut inside = vec![8, 0, 0, 0, 0, 0, 5, 0];
        inside.extend([2, 0, 0, 0, 9, 9, 2, 0, 0, 0, 9, 8, 8, 0]);
        inside.extend(encode(&packet("10.9.0.1", "10.2.0.2", proto::UDP), &Shape::plain(0x7777)));
        sent.shape.about = inside;
        let tunnel = |bench: &Bench| {
            let made = "link add vx0 address 02:00:00:00:09:09 type vxlan id 5 dstport 4789 local 10.1.0.1 remote 10.1.0.2";
            for words in [made, "link set vx0 up"] {
                bench.command(0, "ip", &words.split(' ').collect::<Vec<_>>()).unwrap();
            }
        };
        let name = "decapsulation";
        let open = Attack { name, spec: of(), from: 0, to: 1, sends: vec![sent.clone()], prepare: tunnel };
        judged(&open, &Attack { name, spec: of(), from: 0, to: 1, sends: vec![sent], prepare: |_| {} });
    });
}

#[test]
fn errors_of_a_device_are_related_to_what_they_are_about() {
    isolated("attacks::errors_of_a_device_are_related_to_what_they_are_about", || {
        let of = |states: &str| {
            let rule = format!("-A OUTPUT -m conntrack --ctstate {states} -j ACCEPT");
            filtered(star(2), ["DROP", "DROP", "DROP"], &[&rule])
        };
        let lost = from_line(0, packet("10.2.0.2", "192.0.2.1", proto::UDP));
        open_and_closed("related-error", of("RELATED,ESTABLISHED"), of("ESTABLISHED"), [0, 1], &[lost]);
    });
}

#[test]
fn two_connections_that_are_one_behind_a_gateway_are_not_both_certain() {
    isolated("attacks::two_connections_that_are_one_behind_a_gateway_are_not_both_certain", || {
        let mut spec = filtered(star(3), ["DROP", "ACCEPT", "DROP"], &[]);
        let chains = ["PREROUTING ACCEPT", "INPUT ACCEPT", "OUTPUT ACCEPT", "POSTROUTING ACCEPT"];
        let hiding = TableText {
            name: "nat".to_owned(),
            chains: chains.map(str::to_owned).to_vec(),
            rules: vec!["-A POSTROUTING -o eth2 -j MASQUERADE".to_owned()],
        };
        spec.nodes[0].tables[0].tables.push(hiding);
        let mut bench = Bench::build(&spec).unwrap();
        let described = describe(&spec, &bench, folder("clash")).unwrap();
        (1..spec.nodes.len()).for_each(|host| bench.mute(host).unwrap());
        for proto in [proto::GRE, proto::UDP] {
            let both = [("10.1.0.2", 0), ("10.2.0.2", 1)];
            let probes = both.map(|(src, link)| from_line(link, packet(src, "10.3.0.2", proto)));
            let sent = probes.map(|probe| (probe.clone(), observe(&mut bench, &probe)));
            let walks = walked(&spec, &described, &sent);
            let went = |arrived: &super::beside::Arrivals| {
                arrived.iter().find(|(spot, _)| *spot == Spot::Line(2)).map(|(_, form)| *form)
            };
            let [first, second] = [0, 1].map(|number| went(&sent[number].1.arrived));
            let first = first.expect("the first one arrives");
            assert_eq!(walks[0].must.iter().map(went).collect::<Vec<_>>(), [Some(first)]);
            // One without ports is dropped, one with ports gets another.
            assert_eq!(second.is_some(), proto == proto::UDP);
            assert!(second.is_none_or(|second| second.src == first.src && second.sport != first.sport));
            assert!(!walks[1].must.is_empty());
            assert!(walks[1].must.iter().all(|way| went(way).is_none()));
            for ((probe, seen), walked) in sent.iter().zip(&walks) {
                assert_eq!(beside_interpreter(probe, seen, walked), Ok(()));
            }
        }
    });
}
