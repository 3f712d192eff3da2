//! One network after another, packet after packet: the kernel is right.

use super::bench::{Bench, From};
use super::beside::{Probe, Seen, Sets, Spot, Walked, beside_engine, beside_interpreter, elsewhere};
use super::beside::{is_one_of, observe, observe_late, walked};
use super::described::{Described, check, describe, folder};
use super::probes::Asker;
use super::rules::Coverage;
use super::spec::Spec;
use isoaudit::engine::Compiled;
use isoaudit::header::Packet;
use isoaudit::model::Reading;
use isoaudit::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) networks: usize,
    pub(crate) packets: usize,
    pub(crate) arrived: usize,
    pub(crate) delivered: usize,
    pub(crate) answers: usize,
    pub(crate) sessions: usize,
    pub(crate) witnesses: usize,
    pub(crate) exact: usize,
    pub(crate) claims: usize,
    pub(crate) hold: usize,
    pub(crate) late: usize,
    pub(crate) leaving: Vec<std::thread::JoinHandle<()>>,
    pub(crate) seconds: BTreeMap<&'static str, f64>,
    pub(crate) coverage: Coverage,
}

/// A difference: what it is, and the packets that show it, in order.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) probes: Vec<Probe>,
}

impl Failure {
    fn new(what: impl ToString, probes: &[Probe]) -> Failure {
        Failure { what: what.to_string(), probes: probes.to_vec() }
    }
}

/// A network on the bench and in the model.
struct Case<'a> {
    spec: &'a Spec,
    bench: Bench,
    described: &'a Described,
    compiled: &'a Compiled<'a>,
    /// What the engine says of what starts on a line, for each line that something started on.
    sets: BTreeMap<usize, Sets<'a>>,
    /// For each line something that started there and was seen on another line or at a node.
    crossed: BTreeMap<(usize, Spot), Packet>,
}

/// Compares one network.
pub(crate) fn one(spec: &Spec, seed: u64, packets: usize, tally: &mut Tally) -> Result<(), Failure> {
    let mut clock = Instant::now();
    let mut lap = |tally: &mut Tally, name: &'static str| {
        *tally.seconds.entry(name).or_default() += clock.elapsed().as_secs_f64();
        clock = Instant::now();
    };
    let bench = Bench::build(spec).map_err(|error| Failure::new(format!("not built: {error}"), &[]))?;
    lap(tally, "build");
    let place = folder(&format!("{}-{seed}", std::process::id()));
    let described = describe(spec, &bench, place.clone()).map_err(|error| Failure::new(error, &[]))?;
    lap(tally, "read");
    tally.networks += 1;
    let compiled = Compiled::new(&described.network);
    let (sets, crossed) = (BTreeMap::new(), BTreeMap::new());
    let mut case = Case { spec, bench, described: &described, compiled: &compiled, sets, crossed };
    let mut asker = Asker::new(spec, seed);
    for _ in 0..packets {
        case.single(&asker.single(), tally)?;
    }
    lap(tally, "packets");
    case.mute()?;
    for _ in 0..packets / 10 {
        case.session(&asker.session(), tally)?;
    }
    lap(tally, "sessions");
    let link = asker.chance.below(spec.links.len());
    case.witnesses(&mut asker, link, tally)?;
    lap(tally, "witnesses");
    case.verdicts(tally)?;
    lap(tally, "verdicts");
    // The kernel takes its time to give up a network, so it does that beside.
    let bench = case.bench;
    tally.leaving.push(std::thread::spawn(move || drop(bench)));
    if tally.leaving.len() > 2 {
        tally.leaving.remove(0).join().map_err(|_| Failure::new("a network does not end", &[]))?;
    }
    lap(tally, "teardown");
    std::fs::remove_dir_all(&place).map_err(|error| Failure::new(error, &[]))
}

/// Compares a few packets on a network: what is wrong, if anything is.
pub(crate) fn again(spec: &Spec, probes: &[Probe]) -> Option<String> {
    let bench = Bench::build(spec).ok()?;
    let described = describe(spec, &bench, folder("again")).ok()?;
    let compiled = Compiled::new(&described.network);
    let (sets, crossed) = (BTreeMap::new(), BTreeMap::new());
    let mut case = Case { spec, bench, described: &described, compiled: &compiled, sets, crossed };
    let tally = &mut Tally::default();
    let found = match probes {
        [probe] => case.single(probe, tally),
        _ => case.mute().and_then(|()| case.session(probes, tally)),
    };
    found.err().map(|failure| failure.what)
}

impl Case<'_> {
    fn sets(&mut self, link: usize) -> &Sets<'_> {
        self.sets.entry(link).or_insert_with(|| Sets::new(self.described, self.compiled, link))
    }

    /// Forgets what was sent.
    fn forget(&mut self, touched: &BTreeSet<usize>) -> Result<(), Failure> {
        for node in touched.iter().filter(|node| self.spec.nodes[**node].tracks()) {
            self.bench.forget(*node).map_err(|error| Failure::new(error, &[]))?;
        }
        Ok(())
    }

    /// A packet out of the blue.
    fn single(&mut self, probe: &Probe, tally: &mut Tally) -> Result<(), Failure> {
        let walked = walked(self.spec, self.described, std::slice::from_ref(probe)).remove(0);
        let seen = self.send(probe, &walked, tally);
        self.forget(&seen.touched)?;
        tally.packets += 1;
        tally.arrived += usize::from(seen.arrived.len() > 1);
        tally.delivered += usize::from(seen.arrived.iter().any(|(spot, _)| matches!(spot, Spot::Node(_))));
        tally.answers += usize::from(!seen.answers.is_empty());
        tally.exact += usize::from(walked.must == [walked.may.clone()]);
        let found = beside_interpreter(probe, &seen, &walked)
            .and_then(|()| self.beside_engine(probe, &seen, &walked));
        found.map_err(|what| Failure::new(what, std::slice::from_ref(probe)))
    }

    /// Sends a probe, and waits a little if something certain is missing.
    fn send(&mut self, probe: &Probe, walked: &Walked, tally: &mut Tally) -> Seen {
        let mut seen = observe(&mut self.bench, probe);
        if !probe.is_particular()
            && !is_one_of(&walked.must, &seen.arrived)
            && observe_late(&mut self.bench, probe, &mut seen)
        {
            tally.late += 1;
        }
        seen
    }

    fn beside_engine(&mut self, probe: &Probe, seen: &Seen, walked: &Walked) -> Result<(), String> {
        let From::Line { link, .. } = probe.from else { return Ok(()) };
        let (spec, described) = (self.spec, self.described);
        beside_engine(spec, described, self.sets(link), probe, seen, walked)?;
        let crossed = elsewhere(spec, link, seen).map(|(spot, _)| ((link, *spot), probe.packet));
        self.crossed.extend(crossed);
        Ok(())
    }

    /// Nobody at the hosts answers from now on.
    fn mute(&mut self) -> Result<(), Failure> {
        let hosts = (0..self.spec.nodes.len()).filter(|node| self.spec.nodes[*node].is_host);
        hosts.into_iter().try_for_each(|node| self.bench.mute(node)).map_err(|error| Failure::new(error, &[]))
    }

    /// Several packets, with everything that devices remember of the earlier ones.
    fn session(&mut self, probes: &[Probe], tally: &mut Tally) -> Result<(), Failure> {
        let walks = walked(self.spec, self.described, probes);
        let mut touched = BTreeSet::new();
        let mut found = Ok(());
        // What may have opened a connection and did not for certain leaves nothing certain about what comes after it.
        let mut open = false;
        for (number, (probe, walked)) in probes.iter().zip(&walks).enumerate() {
            let must = if open { Vec::new() } else { walked.must.clone() };
            open |= walked.must != [walked.may.clone()];
            let walked = &Walked { must, may: walked.may.clone() };
            let seen = self.send(probe, walked, tally);
            touched.extend(&seen.touched);
            let so_far = &probes[..=number];
            found = found.and(beside_interpreter(probe, &seen, walked).map_err(|what| {
                let before = so_far[..number].iter().map(|one| format!("\n  after {one}"));
                Failure::new(what + &before.collect::<String>(), so_far)
            }));
            tally.packets += 1;
        }
        tally.sessions += 1;
        self.forget(&touched)?;
        found
    }

    /// What the engine shows: packets in order, the last of which certainly arrives.
    fn witnesses(&mut self, asker: &mut Asker<'_>, link: usize, tally: &mut Tally) -> Result<(), Failure> {
        for (probes, spot) in asker.witnesses(self.described, self.compiled, link, Reading::Must) {
            let walks = walked(self.spec, self.described, &probes);
            let (mut touched, mut last) = (BTreeSet::new(), Seen::default());
            let mut disturbed = false;
            for (probe, walked) in probes.iter().zip(&walks) {
                disturbed |= !last.answers.is_empty();
                last = self.send(probe, walked, tally);
                touched.extend(&last.touched);
                tally.packets += 1;
            }
            self.forget(&touched)?;
            tally.witnesses += 1;
            // Where the network chooses among equal routes, the witness goes by one of them.
            let is_choice = walks.iter().any(|walked| walked.must.len() > 1);
            if !is_choice && !disturbed && !last.arrived.iter().any(|(there, _)| *there == spot) {
                let all = probes.iter().map(|probe| format!("\n  {probe}")).collect::<String>();
                let what = format!("the engine shows what does not arrive at {spot:?}{all}");
                return Err(Failure::new(what, &probes));
            }
        }
        for (probes, _) in asker.witnesses(self.described, self.compiled, link, Reading::May) {
            self.session(&probes, tally)?;
        }
        Ok(())
    }

    /// No claim holds about what was seen to cross.
    fn verdicts(&mut self, tally: &mut Tally) -> Result<(), Failure> {
        let report = check(&self.described.folder);
        for judgement in &report.judgements {
            tally.claims += 1;
            if judgement.verdict != Verdict::Holds {
                continue;
            }
            tally.hold += 1;
            let lines = judgement
                .claim
                .id
                .value
                .split('-')
                .filter_map(|word| word.parse::<usize>().ok())
                .collect::<Vec<_>>();
            let [from, to] = lines[..] else { continue };
            let target = [Spot::Line(to), Spot::Node(self.spec.links[to].ends[0].node)];
            let crossed = target.iter().find_map(|spot| self.crossed.get(&(from, *spot)));
            if let Some(packet) = crossed {
                let id = &judgement.claim.id.value;
                return Err(Failure::new(format!("{id} is said to hold; {packet} crosses"), &[]));
            }
        }
        Ok(())
    }
}
