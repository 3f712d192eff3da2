//! Sets as they are read and as they are asked for, held beside a plain reading of what the kernel does.

use super::{Answers, Asked, Meaning, SetDump, lines, parse};
use crate::diag::{Diagnostic, Diagnostics};
use crate::header::{Family, Fragment, Packet, proto};
use crate::input::dump::iptables::Side;
use crate::model::build::NetworkBuilder;
use crate::model::{Match, Test};
use crate::source::{SourceMap, Span, Spanned};
use proptest::prelude::*;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

fn read(text: &str) -> (Option<SetDump>, Vec<(String, Diagnostic)>) {
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text);
    let mut out = Diagnostics::default();
    let sets = parse(sources.get(id), id, &mut out);
    let placed = out.sorted().into_iter().map(|error| {
        let place = sources.position(error.span.unwrap());
        (format!("{}:{} {}", place.line, place.column, error.message), error)
    });
    (sets, placed.collect())
}

fn good(text: &str) -> SetDump {
    let (sets, errors) = read(text);
    assert!(errors.is_empty(), "{errors:?}");
    sets.unwrap()
}

fn saved() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dumps/sets/ipset-save.txt");
    std::fs::read_to_string(path).unwrap()
}

/// What asking for a set means; rules change the named ones.
fn asked(sets: &SetDump, name: &str, sides: &str, family: Family, changed: &[&str]) -> Meaning {
    let span = Span::new(crate::source::SourceId(0), 0, 0);
    let changed: Vec<Spanned<String>> =
        changed.iter().map(|name| Spanned::new((*name).to_owned(), span)).collect();
    let mut answers = Answers::new(sets, changed.iter());
    let (sides, exceptions) = match sides.strip_prefix('!') {
        Some(sides) => (sides, true),
        None => (sides, false),
    };
    let side = |word: &str| if word == "src" { Side::Source } else { Side::Destination };
    let sides = sides.split(',').map(side).collect();
    let asked = Asked { name: Spanned::new(name.to_owned(), span), sides, exceptions };
    answers.meaning(&asked, family, span, &mut NetworkBuilder::new("test"))
}

/// m⁻ and m⁺ for a packet, which is no later fragment.
fn pair(test: &Test, packet: &Packet) -> (bool, bool) {
    let within = |ranges: &[(u16, u16)], port: u16| {
        proto::has_ports(packet.proto) && ranges.iter().any(|(low, high)| (*low..=*high).contains(&port))
    };
    let holds = match test {
        Test::Source(ranges) => ranges.iter().any(|range| range.contains(packet.src)),
        Test::Destination(ranges) => ranges.iter().any(|range| range.contains(packet.dst)),
        Test::Protocol(ranges) => ranges.iter().any(|(low, high)| (*low..=*high).contains(&packet.proto)),
        Test::SourcePort(ranges) => within(ranges, packet.sport),
        Test::DestinationPort(ranges) => within(ranges, packet.dport),
        Test::Service(services) => services.iter().any(|service| service.contains(packet)),
        Test::Unknown(_) => return (false, true),
        Test::Any(any) => {
            let each = any.iter().map(|Match { test, negated, .. }| match (pair(test, packet), negated) {
                ((certain, possible), true) => (!possible, !certain),
                (pair, false) => pair,
            });
            return each.fold((false, false), |a, b| (a.0 | b.0, a.1 | b.1));
        }
        other => panic!("{other:?}"),
    };
    (holds, holds)
}

fn answer(meaning: &Meaning, packet: &Packet) -> Option<bool> {
    let (certain, possible) = match meaning {
        Meaning::Never => (false, false),
        Meaning::Test(test) => pair(test, packet),
    };
    assert!(possible || !certain);
    (certain == possible).then_some(certain)
}

fn packet(text: &str) -> Packet {
    let words: Vec<&str> = text.split(' ').collect();
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let number = |index: usize| words.get(index).map_or(0, |word| word.parse::<u16>().unwrap());
    let mut made = Packet {
        src: ip(words[0]),
        dst: ip(words[1]),
        proto: number(2) as u8,
        sport: 0,
        dport: 0,
        icmp_type: 0,
        icmp_code: 0,
        flags: 0,
        fragment: Fragment::Whole,
    };
    if matches!(made.proto, proto::ICMP | proto::ICMPV6) {
        (made.icmp_type, made.icmp_code) = (number(3) as u8, number(4) as u8);
    } else {
        (made.sport, made.dport) = (number(3), number(4));
    }
    made
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const OPEN: Option<bool> = None;

/// A set, the sides that are asked for (behind `!` exceptions), a packet, and whether it matches.
const CASES: &[(&str, &str, &str, Option<bool>)] = &[
    ("admins", "src", "10.9.0.6 10.1.0.1 6 1 2", YES),
    ("admins", "dst", "10.9.0.6 10.1.0.1 6 1 2", NO),
    ("admins", "src", "10.9.0.8 10.1.0.1 6 1 2", NO),
    ("sites", "dst", "1.1.1.1 10.200.3.4", YES),
    ("sites", "dst", "1.1.1.1 10.1.3.4", NO),
    ("sites", "dst", "1.1.1.1 10.1.7.4", YES),
    ("sites", "dst", "1.1.1.1 192.0.2.6", YES),
    ("sites", "dst", "1.1.1.1 192.0.2.7", NO),
    ("sites", "!dst", "1.1.1.1 10.1.3.4", YES),
    ("sites", "!dst", "1.1.1.1 10.1.7.4", NO),
    ("sites", "!dst", "1.1.1.1 10.2.7.4", NO),
    // A type without exceptions pays no heed to `--return-nomatch`.
    ("admins", "!src", "10.9.0.6 10.1.0.1", YES),
    ("blocks", "src", "10.3.4.255 1.1.1.1", YES),
    ("blocks", "src", "10.3.5.0 1.1.1.1", NO),
    ("services", "dst,dst", "1.1.1.1 10.1.0.20 6 9 443", YES),
    ("services", "dst,dst", "1.1.1.1 10.1.0.20 17 9 443", NO),
    ("services", "dst,dst", "1.1.1.1 10.1.0.20 17 9 54", YES),
    ("services", "dst,src", "1.1.1.1 10.1.0.20 17 54 9", YES),
    ("services", "dst,src", "1.1.1.1 10.1.0.20 17 9 54", NO),
    ("services", "dst,dst", "1.1.1.1 10.1.0.21 132 9 9", YES),
    ("services", "dst,src", "1.1.1.1 10.1.0.21 1 8 0", YES),
    ("services", "dst,dst", "1.1.1.1 10.1.0.21 1 3 9", YES),
    ("services", "dst,dst", "1.1.1.1 10.1.0.21 1 3 10", NO),
    ("services", "dst,dst", "1.1.1.1 10.1.0.21 1 17 3", YES),
    ("services", "dst,dst", "1.1.1.1 10.1.0.22 47", YES),
    // With fewer sides than an element has parts the kernel finds nothing.
    ("services", "dst", "1.1.1.1 10.1.0.20 6 9 443", NO),
    ("admins", "src,dst", "10.9.0.6 10.1.0.1 6 1 2", YES),
    ("uplinks", "src,dst", "203.0.113.5 1.1.1.1 6 9 80", YES),
    ("uplinks", "src,dst", "203.0.113.129 1.1.1.1 6 9 80", NO),
    ("uplinks", "!src,dst", "203.0.113.129 1.1.1.1 6 9 80", YES),
    ("pairs", "dst,dst,src", "10.9.0.1 10.1.0.20 6 5 22", YES),
    ("pairs", "dst,dst,src", "10.9.0.2 10.1.0.20 6 5 22", NO),
    ("exits", "src,dst,dst", "10.1.0.20 192.0.2.5 6 5 443", YES),
    ("exits", "src,dst,dst", "10.1.0.20 192.0.2.65 6 5 443", NO),
    ("low", "dst", "1.1.1.1 2.2.2.2 6 5 82", YES),
    ("low", "dst", "1.1.1.1 2.2.2.2 17 5 82", YES),
    ("low", "dst", "1.1.1.1 2.2.2.2 132 5 82", NO),
    ("low", "src", "1.1.1.1 2.2.2.2 6 5 82", NO),
    ("pool", "dst", "1.1.1.1 10.4.1.63", YES),
    ("pool", "dst", "1.1.1.1 10.4.1.64", NO),
    ("macs", "src,src", "10.5.0.7 1.1.1.1", OPEN),
    ("ports", "src,src", "10.5.0.7 1.1.1.1", OPEN),
    ("holes", "src", "10.1.7.1 1.1.1.1", OPEN),
    ("banned", "src", "10.6.0.1 1.1.1.1", OPEN),
    ("banned", "src", "10.6.0.2 1.1.1.1", YES),
    ("banned", "src", "10.6.0.3 1.1.1.1", OPEN),
    ("all", "src", "10.9.0.6 1.1.1.1", YES),
    ("all", "src", "10.200.0.6 1.1.1.1", YES),
    ("all", "src", "10.1.0.6 1.1.1.1", NO),
    // The other family is in no set of addresses. (Rules name such a set by way of a list only.)
    ("lan6", "src", "10.1.0.6 1.1.1.1", NO),
    ("lan6", "src", "2001:db8:1:e::1 2001:db8::1", YES),
    ("lan6", "src", "2001:db8:1:f::1 2001:db8::1", NO),
    ("admins", "src", "2001:db8:1:f::1 2001:db8::1", NO),
    ("ping6", "dst,dst", "2001:db8::1 2001:db8:1::20 58 128 0", YES),
    ("ping6", "dst,dst", "2001:db8::1 2001:db8:1::20 58 129 0", NO),
    ("low", "dst", "2001:db8::1 2001:db8:1::20 6 1 22", YES),
];

#[test]
fn sets_that_ipset_saved_match_what_they_say() {
    let sets = good(&saved());
    assert_eq!(sets.sets.len(), 16);
    for (name, sides, text, expected) in CASES {
        let packet = packet(text);
        let meaning = asked(&sets, name, sides, packet.family(), &[]);
        assert_eq!(answer(&meaning, &packet), *expected, "{name} {sides}: {text}");
    }
}

#[test]
fn a_set_that_rules_change_may_match_anything() {
    let sets = good(&saved());
    let one = packet("10.9.0.6 10.1.0.1 6 1 2");
    for changed in ["admins", "all"] {
        assert_eq!(answer(&asked(&sets, "admins", "src", Family::V4, &[changed]), &one), None);
    }
    // A member that changes leaves certain what other members say.
    let all = asked(&sets, "all", "src", Family::V4, &["admins"]);
    assert_eq!(answer(&all, &packet("10.200.0.1 1.1.1.1")), Some(true));
    assert_eq!(answer(&all, &one), Some(true), "10.9.0.6 lies in 10.0.0.0/8 too");
    assert_eq!(answer(&all, &packet("1.2.3.4 1.1.1.1")), None);
}

#[test]
fn what_cannot_be_a_dump_is_refused_at_its_place() {
    let cases: &[(&str, &str)] = &[
        ("", "1:1 no set in this dump"),
        ("# nothing\n\n", "1:1 no set in this dump"),
        ("create a hash:ip\nadd a 10.0.0.1", "2:1 the last line of the dump has no end"),
        ("create a\n", "1:1 expected `create SET TYPE"),
        ("create a hash:ip\nadd a\n", "2:1 expected `add SET ELEMENT"),
        ("creat a hash:ip\n", "1:1 expected `create` or `add`"),
        ("Name: a\nType: hash:ip\n", "1:1 expected `create` or `add`"),
        ("create a hash:ip\ncreate a hash:net\n", "2:8 set `a` is created twice"),
        ("create ab hash:ip\nadd ac 10.0.0.1\n", "2:5 set `ac` is not created before"),
        ("create a list:set\nadd a b\ncreate b hash:ip\n", "2:7 set `b` is not created before"),
        ("create a list:set\nadd a a\n", "2:7 `a` is a list"),
        ("create a list:set\ncreate b list:set\nadd b a\nadd a b\n", "3:7 `a` is a list"),
        ("create a hash:ip family inet family inet6\n", "1:30 `family` is given twice"),
        ("create a hash:ip family inet5\n", "1:25 `inet5` is not a family"),
        ("create a hash:ip family\n", "1:18 `family` without its value"),
        ("create a hash:ip netmask 33\n", "1:26 `33` is too long"),
        ("create a bitmap:ip\n", "1:1 `bitmap:ip` needs its `range`"),
        ("create a bitmap:ip range 10.0.0.0/24\nadd a 10.0.1.0\n", "2:7 `10.0.1.0` lies outside"),
        ("create a bitmap:port range 1-99\nadd a 100\n", "2:7 `100` lies outside"),
        ("create a hash:ip\nadd a 10.0.0\n", "2:7 `10.0.0` is not an IPv4 address"),
        ("create a hash:ip family inet6\nadd a 10.0.0.1\n", "2:7 `10.0.0.1` is not an IPv6 address"),
        ("create a hash:ip\nadd a 10.0.0.9-10.0.0.1\n", "2:7 the range"),
        ("create a hash:net\nadd a 10.0.0.0/33\n", "2:7 `10.0.0.0/33` is not a prefix"),
        ("create a hash:ip\nadd a 10.0.0.1,80\n", "2:7 `80` is more than such an element has"),
        ("create a hash:ip,port\nadd a 10.0.0.1\n", "2:7 `10.0.0.1` has too few parts"),
        ("create a hash:ip,port\nadd a 10.0.0.1,tpc:80\n", "2:7 `tpc` is not a protocol"),
        ("create a hash:ip,port\nadd a 10.0.0.1,tcp:x\n", "2:7 `x` is not a port"),
        ("create a hash:ip,port\nadd a 10.0.0.1,tcp:9-1\n", "2:7 the range"),
        ("create a hash:ip,port\nadd a 10.0.0.1,gre:1\n", "2:7 `gre:1`: this protocol has no ports"),
        ("create a hash:ip,port\nadd a 10.0.0.1,icmp:redirect\n", "2:7 `redirect` is not a type and code"),
        ("create a hash:ip,port\nadd a 10.0.0.1,icmpv6:128/0\n", "2:7 `icmpv6:128/0` is of the other family"),
        ("create a hash:ip\nadd a 10.0.0.1 nomatch\n", "2:1 elements of `hash:ip` cannot be exceptions"),
        ("create a hash:ip timeout 9\nadd a 10.0.0.1 timeout x\n", "2:24 expected a number of seconds"),
        ("create a hash:ip\nadd a \u{1b}[2J\n", "2:7 a control character"),
    ];
    for (text, expected) in cases {
        let (sets, errors) = read(text);
        assert!(sets.is_none(), "{text}");
        assert!(errors[0].0.starts_with(expected), "{text}: {errors:?}");
    }
    assert_eq!(
        read("create ab hash:ip\nadd ac 10.0.0.1\n").1[0].1.help.as_deref(),
        Some("did you mean `ab`?")
    );
    assert_eq!(read(&"x\n".repeat(1000)).1.len(), 50);
    assert!(read(&format!("create a hash:ip\nadd a 1{}\n", " ".repeat(5000) + "x")).0.is_none());
}

#[test]
fn what_is_not_understood_is_open_and_stays_with_its_set() {
    let text = "create known hash:ip\nadd known 10.0.0.1\ncreate odd hash:ip sparkle 7\nadd odd 10.0.0.1\n\
        create late hash:ip\nadd late 10.0.0.1 wings 2\ncreate new hash:ip,teapot\nadd new 10.0.0.1,hot\n\
        create e hash:net,net\nadd e 10.0.0.0/8,10.1.0.0/16\nadd e 10.2.0.0/16,10.1.0.0/24 nomatch\n";
    let sets = good(text);
    let one = packet("10.0.0.1 10.1.0.1 6 1 2");
    let ask = |name: &str, packet: &Packet| answer(&asked(&sets, name, "src,dst", Family::V4, &[]), packet);
    assert_eq!(ask("known", &one), Some(true));
    for name in ["odd", "late", "new", "e"] {
        assert_eq!(ask(name, &one), None, "{name}");
    }
    // What has too many exceptions to follow still lies within its addresses.
    assert_eq!(ask("e", &packet("11.0.0.1 10.1.0.1 6 1 2")), Some(false));
}

/// An element as numbers: an address and length of a small world, a port, and another address and length.
type Small = (u8, u8, u16, u8, u8, bool);

const KINDS: &[(&str, bool, bool, bool)] = &[
    // Name; whether elements have ports, a second address; whether the addresses are prefixes.
    ("hash:net", false, false, true),
    ("hash:net,port", true, false, true),
    ("hash:ip,port,net", true, true, false),
    ("hash:net,net", false, true, true),
    ("hash:ip,port,ip", true, true, false),
];

fn small(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number & 15)
}

fn covers(base: u8, bits: u8, number: u8) -> bool {
    (base & 15) >> (4 - bits) == (number & 15) >> (4 - bits)
}

proptest! {
    #[test]
    fn sets_match_what_the_longest_prefix_says(
        kind in 0..KINDS.len(),
        elements in prop::collection::vec((0..16u8, 1..=4u8, 0..4u16, 0..16u8, 1..=4u8, any::<bool>()), 0..12),
        exceptions in any::<bool>(),
    ) {
        let (name, has_port, has_second, first_is_net) = KINDS[kind];
        let second_is_net = has_second && name.ends_with("net");
        let mut elements: Vec<Small> = elements;
        let mut text = format!("create s {name}\n");
        for one in &mut elements {
            if !first_is_net { one.1 = 4; }
            if !second_is_net { one.4 = 4; }
            if !has_port { one.2 = 0; }
            one.0 = one.0 >> (4 - one.1) << (4 - one.1);
            one.3 = if has_second { one.3 >> (4 - one.4) << (4 - one.4) } else { 0 };
            one.5 &= first_is_net != second_is_net && (first_is_net || second_is_net);
        }
        // An element is in a set once.
        elements.sort_unstable();
        elements.dedup_by_key(|one| (one.0, one.1, one.2, one.3, one.4));
        for (a, bits, port, b, bits_b, nomatch) in &elements {
            write!(text, "add s {}/{}", small(*a), 28 + bits).unwrap();
            if has_port { write!(text, ",{}", ["tcp:1", "tcp:2", "tcp:3", "udp:2"][usize::from(*port)]).unwrap(); }
            if has_second { write!(text, ",{}/{}", small(*b), 28 + bits_b).unwrap(); }
            text.push_str(if *nomatch { " nomatch\n" } else { "\n" });
        }
        let sets = good(&text);
        let sides = match (has_port, has_second) {
            (true, true) => "src,dst,dst", (true, false) | (false, true) => "src,dst", (false, false) => "src",
        };
        let meaning = asked(&sets, "s", &format!("{}{sides}", if exceptions { "!" } else { "" }), Family::V4, &[]);
        for (src, dst, port) in (0..16u8).flat_map(|a| (0..16u8).flat_map(move |b| (0..4u16).map(move |p| (a, b, p)))) {
            let fits = |one: &&Small| covers(one.0, one.1, src)
                && (!has_second || covers(one.3, one.4, dst)) && (!has_port || one.2 == port);
            let best = elements.iter().filter(fits).max_by_key(|one| (one.1, one.4));
            let has_nets = first_is_net || second_is_net;
            let expected = best.is_some_and(|one| one.5 == (exceptions && has_nets));
            let protocol = if port == 3 { 17 } else { 6 };
            let number = if port == 3 { 2 } else { port + 1 };
            let packet = packet(&format!("{} {} {protocol} 9 {number}", small(src), small(dst)));
            prop_assert_eq!(answer(&meaning, &packet), Some(expected), "{} -> {} {}\n{}", src, dst, port, text);
        }
    }
}

#[test]
fn every_byte_of_a_dump_belongs_to_something() {
    let more = "# a comment\n\ncreate odd hash:ip sparkle 7 8\ncreate new hash:teapot\nadd new 1 hot \"a b\"\n\
        create late hash:ip\nadd late 10.0.0.1 wings \"x y\"\n";
    let text = saved() + more;
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text.as_str());
    let mut claims = Vec::new();
    let mut out = Diagnostics::default();
    lines::read(sources.get(id), id, Some(&mut claims), &mut out).unwrap();
    let mut owned = vec![false; text.len()];
    claims.iter().for_each(|span| owned[span.start as usize..span.end as usize].fill(true));
    for (at, (byte, owned)) in text.bytes().zip(&owned).enumerate() {
        let place = sources.position(Span::new(id, at, at + 1));
        assert!(*owned || byte.is_ascii_whitespace(), "line {}, column {}", place.line, place.column);
    }
}

#[test]
fn a_million_elements() {
    let mut text = "create a hash:ip maxelem 1048576\ncreate b hash:ip,port maxelem 1048576\n".to_owned();
    for number in 0..1_000_000u32 {
        match number % 2 {
            0 => writeln!(text, "add a {}", Ipv4Addr::from(0x0a00_0000 + number)).unwrap(),
            _ => writeln!(text, "add b {},tcp:{}", Ipv4Addr::from(0x0a00_0000 + number), 1 + number % 8)
                .unwrap(),
        }
    }
    let started = Instant::now();
    let sets = good(&text);
    let meaning = asked(&sets, "a", "src", Family::V4, &[]);
    let Meaning::Test(Test::Source(ranges)) = meaning else { panic!("no plain addresses") };
    assert_eq!(ranges.len(), 500_000);
    let Meaning::Test(Test::Any(any)) = asked(&sets, "b", "src,dst", Family::V4, &[]) else { panic!() };
    assert_eq!(any.len(), 4);
    // Seconds, even where nothing is optimised and others use the machine.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn too_many_combinations_are_not_understood_within_their_addresses() {
    let mut text = "create a hash:ip,port,ip\n".to_owned();
    for number in 0..10_000u16 {
        let [high, low] = number.to_be_bytes();
        writeln!(text, "add a 10.1.{high}.{low},tcp:{number},10.2.{low}.{high}").unwrap();
    }
    let sets = good(&text);
    let meaning = asked(&sets, "a", "src,dst,dst", Family::V4, &[]);
    assert_eq!(answer(&meaning, &packet("10.1.0.7 10.2.7.0 6 1 7")), None);
    assert_eq!(answer(&meaning, &packet("10.3.0.7 10.2.7.0 6 1 7")), Some(false));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(create|add|x)? ?[a-c\"]{0,3} ?(hash:ip|hash:net,port|list:set|bitmap:port)? ?\
        (range|family|timeout|10.0.0.0/8|::/0|1-2|tcp:1|,){0,4} ?[0-9,:./ -]{0,12}\n?.{0,3}") {
        let before = "create a hash:net,port\ncreate b list:set\ncreate c bitmap:port range 0-9\n";
        read(&format!("{before}{text}"));
    }
}
