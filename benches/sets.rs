//! Packet sets against the decision diagrams of OxiDD: first-match lists and what is asked about them.
//!
//! `cargo bench --bench sets` builds two ClassBench-like lists of 10,000 rules in each family with both
//! engines, each in a process of its own so that the peak memory is its own, and prints medians. `-- 2000`
//! takes another length, `-- 2000 ours` leaves OxiDD out. Both engines then judge the same packets, and
//! must agree on every one.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark talks to a terminal")]

mod measure;

use isoaudit::header::{AddressRange, Family, Fragment, Packet, proto};
use isoaudit::set::{Field, Set, Side, Space, Summary};
use measure::{Outcome, Random, Rows, clock, peak_memory};
use oxidd::bdd::{BDDFunction, BDDManagerRef};
use oxidd::util::AllocResult;
use oxidd::{BooleanFunction, Function, Manager, ManagerRef};

/// An address and how many of its bits count.
type Prefix = (u128, u8);

#[derive(Clone)]
struct Rule {
    src: Prefix,
    dst: Prefix,
    proto: Option<u8>,
    dport: (u16, u16),
    sport: (u16, u16),
    permit: bool,
}

const ANY_PORT: (u16, u16) = (0, u16::MAX);

/// Nested prefixes: two in three refine one that is already there.
fn prefix_pool(random: &mut Random, family: Family, size: usize) -> Vec<Prefix> {
    let (steps, roots): (&[u8], u8) = match family {
        Family::V4 => (&[4, 8, 8, 8, 12, 16], 12),
        Family::V6 => (&[4, 8, 16, 16, 16, 64], 32),
    };
    let bits = family.bits();
    let width = u32::from(bits);
    let mut pool: Vec<Prefix> = Vec::with_capacity(size);
    while pool.len() < size {
        let nested = !pool.is_empty() && random.percent(66);
        let (base, length) = if nested { pool[random.skewed(pool.len())] } else { (0, 0) };
        let step = if nested { steps[random.below(steps.len())] } else { roots + random.below(13) as u8 };
        let length = (length + step).min(bits);
        let noise = u128::from(random.next()) << 64 | u128::from(random.next());
        let wide = if width == 128 { noise } else { noise & ((1 << width) - 1) };
        let host = width - u32::from(length);
        let kept = if nested {
            !(u128::MAX.checked_shr(128 - width + u32::from(length - step)).unwrap_or(0))
        } else {
            0
        };
        let address = (base & kept) | (wide & !kept);
        let address = if host >= 128 { 0 } else { address >> host << host };
        let address = if width == 128 { address } else { address & ((1 << width) - 1) };
        pool.push((address, length));
    }
    pool
}

fn ports(random: &mut Random) -> (u16, u16) {
    const KNOWN: [u16; 16] = [80, 443, 22, 53, 25, 110, 143, 21, 23, 123, 161, 389, 445, 1433, 3306, 3389];
    match random.below(100) {
        0..50 => {
            let port = if random.percent(80) {
                KNOWN[random.skewed(KNOWN.len())]
            } else {
                random.below(65536) as u16
            };
            (port, port)
        }
        50..65 => {
            let low = random.below(60_000) as u16;
            (low, low + random.below(5000) as u16)
        }
        65..78 => (1024, u16::MAX),
        _ => ANY_PORT,
    }
}

fn rules(random: &mut Random, pool: &[Prefix], count: usize) -> Vec<Rule> {
    let side = |random: &mut Random| pool[random.skewed(pool.len())];
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        let (mut src, mut dst) = (side(random), side(random));
        match random.below(100) {
            0..7 => src = (0, 0),
            7..14 => dst = (0, 0),
            _ => {}
        }
        let proto =
            [Some(proto::TCP), Some(proto::TCP), Some(proto::TCP), Some(proto::UDP), None][random.below(5)];
        let (dport, sport) = match proto {
            None => (ANY_PORT, ANY_PORT),
            Some(_) => (ports(random), if random.percent(10) { ports(random) } else { ANY_PORT }),
        };
        list.push(Rule { src, dst, proto, dport, sport, permit: random.percent(60) });
    }
    list
}

/// Two lists over one pool of prefixes.
fn lists(family: Family, count: usize) -> [Vec<Rule>; 2] {
    let mut random = Random(count as u64 + u64::from(family.bits()));
    let pool = prefix_pool(&mut random, family, (count / 4).max(1));
    [rules(&mut random, &pool, count), rules(&mut random, &pool, count)]
}

/// Packets in the corners of rules, where a wrong border shows.
fn packets(family: Family, lists: &[Vec<Rule>; 2], count: usize) -> Vec<Packet> {
    let mut random = Random(7);
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let mut pick = || lists[random.below(2)][random.below(lists[0].len())].clone();
        let (a, b) = (pick(), pick());
        let mut corner = |(base, length): Prefix| {
            let host = u32::from(family.bits() - length);
            let last = if host >= 128 { u128::MAX } else { base | ((1 << host) - 1) };
            let number = [base, last, base.wrapping_sub(1), last.wrapping_add(1)][random.below(4)];
            isoaudit::header::address_from_number(family, number)
        };
        let (src, dst) = (corner(a.src), corner(if b.permit { a.dst } else { b.dst }));
        let mut port = |r: (u16, u16)| [r.0, r.1, r.0.wrapping_sub(1), r.1.wrapping_add(1)][random.below(4)];
        let (dport, sport) = (port(a.dport), port(a.sport));
        let proto = a.proto.unwrap_or(proto::GRE);
        all.push(Packet {
            src,
            dst,
            proto,
            sport,
            dport,
            icmp_type: 0,
            icmp_code: 0,
            flags: 0,
            fragment: Fragment::Whole,
        });
    }
    all
}

/// What one engine needed, in seconds and bytes, and what it answered.
#[derive(Default)]
struct Measured {
    rows: Vec<(&'static str, f64)>,
    answers: u64,
}

impl Measured {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = clock();
        let result = work();
        self.rows.push((name, clock() - start));
        result
    }
}

/// A hash of a sequence of yes and no.
fn fold(answers: impl Iterator<Item = bool>) -> u64 {
    answers.fold(0xcbf2_9ce4_8422_2325, |hash, yes| (hash ^ u64::from(yes)).wrapping_mul(0x0100_0000_01b3))
}

fn our_rule(space: &mut Space, family: Family, rule: &Rule) -> Summary {
    let range = |(base, length): Prefix| {
        let host = u32::from(family.bits() - length);
        let last = if host >= 128 { u128::MAX } else { base | ((1 << host) - 1) };
        let address = |number| isoaudit::header::address_from_number(family, number);
        AddressRange { low: address(base), high: address(last) }
    };
    let mut parts =
        vec![space.addresses(Side::Src, &[range(rule.src)]), space.addresses(Side::Dst, &[range(rule.dst)])];
    if let Some(number) = rule.proto {
        parts.push(space.protocol(number));
    }
    parts.push(space.field(Field::Dport, rule.dport.0, rule.dport.1));
    parts.push(space.field(Field::Sport, rule.sport.0, rule.sport.1));
    let matched = parts.into_iter().rev().fold(Set::FULL, |all, part| space.intersect(all, part));
    let accept = if rule.permit { matched } else { Set::EMPTY };
    Summary { accept, open: Set::EMPTY, ret: Set::EMPTY, fall: space.complement(matched) }
}

fn ours(family: Family, lists: &[Vec<Rule>; 2]) -> Outcome<Measured> {
    let mut measured = Measured::default();
    let mut space = Space::new();
    let build = |measured: &mut Measured, space: &mut Space, name, list: &[Rule]| {
        measured.time(name, || {
            let mut summaries: Vec<Summary> = list.iter().map(|rule| our_rule(space, family, rule)).collect();
            summaries.push(Summary::DROP);
            space.compose_all(&summaries).accept
        })
    };
    let a = build(&mut measured, &mut space, "build A", &lists[0]);
    measured.rows.push(("MB after A", peak_memory()));
    let b = build(&mut measured, &mut space, "build B", &lists[1]);
    let or = measured.time("A or B", || space.union(a, b));
    let and = measured.time("A and B", || space.intersect(a, b));
    let less = measured.time("A minus B, empty?", || {
        let less = space.minus(a, b);
        std::hint::black_box(less.is_empty());
        less
    });
    measured.rows.push(("MB at the end", peak_memory()));
    measured.rows.push(("nodes of A", space.node_count(a) as f64));
    measured.rows.push(("nodes made", space.len() as f64));
    measured.rows.push(("edges made", space.edge_len() as f64));
    space.status()?;
    let packets = packets(family, lists, 40_000);
    measured.answers =
        fold(packets.iter().flat_map(|p| [a, b, or, and, less].map(|set| space.contains(set, p))));
    Ok(measured)
}

/// OxiDD's diagram of one rule or list: what is decided and what is permitted.
struct Decided {
    matched: BDDFunction,
    permitted: BDDFunction,
}

struct Bits {
    manager: BDDManagerRef,
    family: Family,
}

impl Bits {
    /// Ands the first `length` bits of a value of `width` bits, whose first variable is `first`, before
    /// `below`.
    fn cube(
        &self,
        below: BDDFunction,
        first: u32,
        width: u32,
        length: u32,
        value: u128,
    ) -> AllocResult<BDDFunction> {
        let mut result = below;
        for position in (0..length).rev() {
            let bit = value >> (width - 1 - position) & 1 == 1;
            let var = self.manager.with_manager_shared(|m| {
                if bit {
                    BDDFunction::var(m, first + position)
                } else {
                    BDDFunction::not_var(m, first + position)
                }
            })?;
            result = var.and(&result)?;
        }
        Ok(result)
    }

    /// Values of 16 bits between two, ends included.
    fn range(&self, first: u32, (low, high): (u16, u16)) -> AllocResult<BDDFunction> {
        let (mut least, mut most) =
            self.manager.with_manager_shared(|m| (BDDFunction::t(m), BDDFunction::t(m)));
        for position in (0..16).rev() {
            let bit = |value: u16| value >> (15 - position) & 1 == 1;
            let (var, not) = self.manager.with_manager_shared(|m| {
                AllocResult::Ok((
                    BDDFunction::var(m, first + position)?,
                    BDDFunction::not_var(m, first + position)?,
                ))
            })?;
            least = if bit(low) { var.and(&least)? } else { var.or(&least)? };
            most = if bit(high) { not.or(&most)? } else { not.and(&most)? };
        }
        least.and(&most)
    }

    fn rule(&self, rule: &Rule) -> AllocResult<Decided> {
        let width = u32::from(self.family.bits());
        let mut matched = self.manager.with_manager_shared(|m| BDDFunction::t(m));
        if rule.sport != ANY_PORT {
            matched = self.range(2 * width + 24, rule.sport)?;
        }
        if rule.dport != ANY_PORT {
            matched = self.range(2 * width + 8, rule.dport)?.and(&matched)?;
        }
        if let Some(number) = rule.proto {
            matched = self.cube(matched, 2 * width, 8, 8, number.into())?;
        }
        matched = self.cube(matched, width, width, rule.dst.1.into(), rule.dst.0)?;
        matched = self.cube(matched, 0, width, rule.src.1.into(), rule.src.0)?;
        let nothing = self.manager.with_manager_shared(|m| BDDFunction::f(m));
        let permitted = if rule.permit { matched.clone() } else { nothing };
        Ok(Decided { matched, permitted })
    }

    /// A list that ends with "deny everything": what it permits.
    fn complete(&self, list: &[Rule]) -> AllocResult<BDDFunction> {
        let [_, _, ..] = list else {
            return Ok(self.list(list)?.permitted);
        };
        let (left, right) = list.split_at(list.len() / 2);
        let (left, right) = (self.list(left)?, self.complete(right)?);
        left.permitted.or(&left.matched.imp_strict(&right)?)
    }

    fn list(&self, list: &[Rule]) -> AllocResult<Decided> {
        if let [only] = list {
            return self.rule(only);
        }
        let (left, right) = list.split_at(list.len() / 2);
        let (left, right) = (self.list(left)?, self.list(right)?);
        Ok(Decided {
            matched: left.matched.or(&right.matched)?,
            permitted: left.permitted.or(&left.matched.imp_strict(&right.permitted)?)?,
        })
    }

    fn contains(&self, set: &BDDFunction, packet: &Packet) -> bool {
        let width = u32::from(self.family.bits());
        let fields = [
            (width, isoaudit::header::address_number(packet.src)),
            (width, isoaudit::header::address_number(packet.dst)),
            (8, packet.proto.into()),
            (16, packet.dport.into()),
            (16, packet.sport.into()),
        ];
        let bits =
            fields.iter().flat_map(|(width, value)| (0..*width).rev().map(move |bit| value >> bit & 1 == 1));
        set.eval((0..).zip(bits))
    }
}

fn oxidds(family: Family, lists: &[Vec<Rule>; 2], nodes: usize, cache: usize) -> Outcome<Measured> {
    let mut measured = Measured::default();
    let manager = oxidd::bdd::new_manager(nodes, cache, 1);
    manager.with_manager_exclusive(|m| m.add_vars(2 * u32::from(family.bits()) + 40));
    let bits = Bits { manager, family };
    let a = measured.time("build A", || bits.complete(&lists[0]))?;
    measured.rows.push(("MB after A", peak_memory()));
    let b = measured.time("build B", || bits.complete(&lists[1]))?;
    let or = measured.time("A or B", || a.or(&b))?;
    let and = measured.time("A and B", || a.and(&b))?;
    let less = measured.time("A minus B, empty?", || {
        let less = b.imp_strict(&a)?;
        std::hint::black_box(less.satisfiable());
        AllocResult::Ok(less)
    })?;
    measured.rows.push(("MB at the end", peak_memory()));
    measured.rows.push(("nodes of A", a.node_count() as f64));
    let packets = packets(family, lists, 40_000);
    let sets = [&a, &b, &or, &and, &less];
    measured.answers = fold(packets.iter().flat_map(|p| sets.map(|set| bits.contains(set, p))));
    Ok(measured)
}

/// A run in this process: prints one row a line for the parent.
fn child(engine: &str, family: Family, count: usize) -> Outcome<()> {
    let lists = lists(family, count);
    let number = |name: &str, default: usize| -> usize {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let measured = match engine {
        "ours" => ours(family, &lists)?,
        _ => oxidds(family, &lists, 1 << number("OXIDD_NODES", 26), 1 << number("OXIDD_CACHE", 22))?,
    };
    for (name, value) in measured.rows {
        println!("{name}\t{value}");
    }
    println!("answers\t{}", measured.answers % (1 << 50));
    Ok(())
}

/// The median of several runs, row by row.
fn medians(engine: &str, family: Family, count: usize, runs: usize) -> Outcome<Rows> {
    let (bits, count) = (family.bits().to_string(), count.to_string());
    Ok(measure::medians(&[vec![engine, &bits, &count]], runs)?.remove(0))
}

fn compare(family: Family, count: usize, with_oxidd: bool) -> Outcome<()> {
    println!("\n{count} rules, {family}");
    println!("{:<20} {:>12} {:>12} {:>8}", "", "ours", "oxidd bdd", "ratio");
    let mine = medians("ours", family, count, 5)?;
    let theirs = if with_oxidd {
        medians("oxidd", family, count, if count > 5000 { 1 } else { 3 })?
    } else {
        Rows::new()
    };
    for (name, value) in &mine {
        let show = |value: f64| if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.4}") };
        match theirs.iter().find(|(n, _)| n == name).map(|(_, v)| *v) {
            Some(other) if name == "answers" => {
                if other.total_cmp(value).is_ne() {
                    return Err("the engines do not agree".into());
                }
                println!("the engines agree on 40000 packets in five sets");
            }
            Some(other) => {
                println!("{name:<20} {:>12} {:>12} {:>8.1}", show(*value), show(other), other / value)
            }
            None if name == "answers" => {}
            None => println!("{name:<20} {:>12}", show(*value)),
        }
    }
    Ok(())
}

fn main() -> Outcome<()> {
    if let Some(words) = measure::child() {
        let [engine, bits, count] = &words[..] else { return Err("a child has three words".into()) };
        let family = if bits == "32" { Family::V4 } else { Family::V6 };
        return child(engine, family, count.parse()?);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Without `--bench` this runs under `cargo test`: a short run that only checks agreement.
    let default = if words.iter().any(|word| word == "--bench") { 10_000 } else { 200 };
    let count = words.iter().find_map(|word| word.parse().ok()).unwrap_or(default);
    let with_oxidd = !words.iter().any(|word| word == "ours");
    for family in Family::ALL {
        compare(family, count, with_oxidd)?;
    }
    Ok(())
}
