//! One network after another, packet after packet: the kernel is right.

use super::bench::{Bench, From};
use super::beside::{Probe, Seen, Sets, Spot, Walked};
use super::beside::{beside_engine, beside_interpreter, beside_opened, elsewhere};
use super::beside::{is_one_of, observe, observe_late, walked};
use super::described::{Described, check, describe, folder};
use super::probes::Asker;
use super::rules::Coverage;
use super::spec::Spec;
use super::talk::{Sent, talk};
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
    /// Single packets, and those of conversations, that arrived somewhere as others.
    pub(crate) translated: usize,
    pub(crate) said_translated: usize,
    /// Later packets of conversations of which something was certain.
    pub(crate) settled: usize,
    pub(crate) cut_short: usize,
    /// Networks about which the engine was asked.
    pub(crate) whole: usize,
    /// Networks in which something translates.
    pub(crate) translating: usize,
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
    /// Whether the engine is asked, and the verdicts. Where much is translated that takes a while.
    whole: bool,
    /// For each line something that started there and was seen on another line or at a node.
    crossed: BTreeMap<(usize, Spot), Packet>,
}

/// Of networks that translate, the engine is asked about those with so few lines.
const FEW_LINES: usize = 3;

/// Compares one network.
pub(crate) fn one(
    spec: &Spec,
    seed: u64,
    packets: usize,
    whole: bool,
    tally: &mut Tally,
) -> Result<(), Failure> {
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
    tally.translating += usize::from(spec.translates());
    let compiled = Compiled::new(&described.network);
    let mut asker = Asker::new(spec, seed);
    let mut case = Case::new(spec, bench, &described, &compiled);
    case.whole = whole || !spec.translates() || spec.links.len() <= FEW_LINES;
    for _ in 0..packets {
        case.single(&asker.single(), tally)?;
    }
    lap(tally, "packets");
    case.mute()?;
    for _ in 0..packets / 10 {
        let sent = talk(&mut asker, &mut case.bench);
        case.said(&sent, tally)?;
    }
    lap(tally, "sessions");
    if case.whole {
        let link = asker.chance.below(spec.links.len());
        case.witnesses(&mut asker, link, tally)?;
        lap(tally, "witnesses");
        case.verdicts(tally)?;
        tally.whole += 1;
    }
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
    let mut case = Case::new(spec, bench, &described, &compiled);
    let tally = &mut Tally::default();
    let found = match probes {
        [probe] => case.single(probe, tally),
        _ => case.mute().and_then(|()| {
            let sent = case.session(probes);
            case.said(&sent, tally)
        }),
    };
    found.err().map(|failure| failure.what)
}

impl<'a> Case<'a> {
    fn new(spec: &'a Spec, bench: Bench, described: &'a Described, compiled: &'a Compiled<'a>) -> Case<'a> {
        let (sets, crossed) = (BTreeMap::new(), BTreeMap::new());
        Case { spec, bench, described, compiled, sets, whole: true, crossed }
    }

    fn sets(&mut self, link: usize) -> &Sets<'a> {
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
        let (seen, walked) = self.send(probe, tally);
        self.forget(&seen.touched)?;
        tally.packets += 1;
        tally.arrived += usize::from(seen.arrived.len() > 1);
        tally.translated += usize::from(seen.is_translated(probe));
        tally.delivered += usize::from(seen.arrived.iter().any(|(spot, _)| matches!(spot, Spot::Node(_))));
        tally.answers += usize::from(!seen.answers.is_empty());
        tally.exact += usize::from(walked.must == [walked.may.clone()]);
        tally.cut_short += usize::from(walked.cut_short);
        let found = beside_interpreter(probe, &seen, &walked)
            .and_then(|()| self.beside_engine(probe, &seen, &walked));
        found.map_err(|what| Failure::new(what, std::slice::from_ref(probe)))
    }

    /// Sends a probe, and waits a little if something certain is missing.
    fn send(&mut self, probe: &Probe, tally: &mut Tally) -> (Seen, Walked) {
        let mut seen = observe(&mut self.bench, probe);
        let of = |seen: &Seen| walked(self.spec, self.described, &[(probe.clone(), seen.clone())]).remove(0);
        let mut walked = of(&seen);
        if !probe.is_particular()
            && !is_one_of(&walked.must, &seen.arrived)
            && observe_late(&mut self.bench, probe, &mut seen)
        {
            tally.late += 1;
            walked = of(&seen);
        }
        (seen, walked)
    }

    fn beside_engine(&mut self, probe: &Probe, seen: &Seen, walked: &Walked) -> Result<(), String> {
        let From::Line { link, .. } = probe.from else { return Ok(()) };
        let (spec, described) = (self.spec, self.described);
        if self.whole {
            beside_engine(spec, described, self.sets(link), probe, seen, walked)?;
        }
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
    fn session(&mut self, probes: &[Probe]) -> Vec<Sent> {
        probes.iter().map(|probe| (probe.clone(), observe(&mut self.bench, probe))).collect()
    }

    fn forget_all(&mut self, sent: &[Sent]) -> Result<(), Failure> {
        self.forget(&sent.iter().flat_map(|(_, seen)| seen.touched.iter().copied()).collect())
    }

    /// Compares what was sent in order.
    fn said(&mut self, sent: &[Sent], tally: &mut Tally) -> Result<(), Failure> {
        self.forget_all(sent)?;
        let walks = walked(self.spec, self.described, sent);
        for (number, ((probe, seen), walked)) in sent.iter().zip(&walks).enumerate() {
            tally.packets += 1;
            tally.said_translated += usize::from(seen.is_translated(probe));
            tally.settled += usize::from(!walked.must.is_empty() && number > 0 && !probe.is_particular());
            let found = beside_interpreter(probe, seen, walked).and_then(|()| {
                let From::Line { link, .. } = probe.from else { return Ok(()) };
                let (spec, described) = (self.spec, self.described);
                if !self.whole {
                    return Ok(());
                }
                beside_opened(spec, described, self.sets(link), probe, seen, walked)
            });
            found.map_err(|what| {
                let before = sent[..number].iter().map(|(one, _)| format!("\n  after {one}"));
                let so_far: Vec<Probe> = sent[..=number].iter().map(|(probe, _)| probe.clone()).collect();
                Failure::new(what + &before.collect::<String>(), &so_far)
            })?;
        }
        tally.sessions += 1;
        Ok(())
    }

    /// What the engine shows: packets in order, the last of which certainly arrives.
    fn witnesses(&mut self, asker: &mut Asker<'_>, link: usize, tally: &mut Tally) -> Result<(), Failure> {
        for (probes, spot) in asker.witnesses(self.described, self.compiled, link, Reading::Must) {
            let sent = self.session(&probes);
            self.forget_all(&sent)?;
            tally.packets += sent.len();
            let walks = walked(self.spec, self.described, &sent);
            let Some(((_, last), before)) = sent.split_last() else { continue };
            let disturbed = before.iter().any(|(_, seen)| !seen.answers.is_empty());
            tally.witnesses += 1;
            // Where the network chooses among equal routes, the witness goes by one of them.
            let is_choice = walks.iter().any(|walked| walked.is_choice);
            if !is_choice && !disturbed && !last.arrived.iter().any(|(there, _)| *there == spot) {
                let all = probes.iter().map(|probe| format!("\n  {probe}")).collect::<String>();
                let what = format!("the engine shows what does not arrive at {spot:?}{all}");
                return Err(Failure::new(what, &probes));
            }
        }
        for (probes, _) in asker.witnesses(self.described, self.compiled, link, Reading::May) {
            let sent = self.session(&probes);
            self.said(&sent, tally)?;
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
