//! `reachable`: every pair can talk. Violated iff some pair has no honest packet and answer even on *may*; holds iff
//! every pair has one on *must*, whatever the network chooses (SEMANTICS.md section 6).

use super::judge::{Judge, Ruling};
use super::lower::{places, senders};
use super::{Finding, Leg, Note, Open, Sender, Verdict, telling};
use crate::claim::{Claim, Reachable};
use crate::engine::{Cut, Pair, RoundTrip, RuleRef, Stop, parallel_map, round_trip};
use crate::header::{Packet, service_name};
use crate::model::{NodeId, Reading};
use crate::replay::{self, Branch, End, Foothold, Question, Send, Stance};
use std::collections::BTreeSet;

/// Pairs that one claim may ask for.
const MOST_PAIRS: usize = 4096;

/// Pairs that are asked about before anybody looks whether there are findings enough.
const PAIRS_AT_ONCE: usize = 64;

/// Decides a `reachable` claim.
pub(super) fn decide(judge: &Judge<'_>, claim: &Claim, reachable: &Reachable) -> Ruling {
    let mut ruling = Ruling::default();
    let possible = pairs(judge, reachable, Reading::May);
    let certain = pairs(judge, reachable, Reading::Must);
    if possible.is_empty() {
        ruling.verdict = Some(Verdict::Vacuous);
        "the claim says nothing about this network".clone_into(&mut ruling.summary);
        ruling.open.push(Open {
            what: format!(
                "`{}` and `{}` have no two nodes with addresses",
                reachable.from.text, reachable.to.text
            ),
            span: Some(reachable.from.span),
            settle: "check the selectors with `isoaudit list`".to_owned(),
        });
        return ruling;
    }
    if possible.len() > MOST_PAIRS {
        ruling.verdict = Some(Verdict::Undetermined);
        ruling.summary = format!("{} pairs are more than the limit of {MOST_PAIRS}", possible.len());
        ruling.open.push(Open {
            what: format!("{} pairs of nodes", possible.len()),
            span: Some(reachable.from.span),
            settle: "select fewer nodes, or split the claim".to_owned(),
        });
        return ruling;
    }
    let mut standing = Vec::new();
    // Somebody may have asked before, for a remedy of another claim.
    let asked = if judge.known_standing(claim).is_some() { &[] } else { &possible[..] };
    'all: for pairs in asked.chunks(PAIRS_AT_ONCE) {
        let talks = parallel_map(pairs, |(from, to)| talk(judge, reachable, *from, *to, &Cut::default()));
        for ((from, to), talk) in pairs.iter().zip(talks) {
            match talk {
                Talk::Certain(rules) => standing.push(Standing { from: *from, to: *to, rules }),
                Talk::Never { request, reply } if certain.contains(&(*from, *to)) => {
                    ruling.findings.push(lost(judge, claim, *from, *to, request, reply));
                }
                Talk::Never { .. } => ruling.open.push(uncertain_pair(judge, *from, *to)),
                Talk::Unsure(open) => ruling.open.extend(open),
            }
            if ruling.findings.len() >= judge.options.max_causes {
                ruling.more_findings = true;
                break 'all;
            }
        }
    }
    conclude(reachable, possible.len(), &mut ruling);
    if ruling.verdict == Some(Verdict::Holds) {
        judge.keep_standing(claim, standing);
    }
    ruling
}

fn conclude(reachable: &Reachable, pairs: usize, ruling: &mut Ruling) {
    let (from, to) = (&reachable.from.text, &reachable.to.text);
    if !ruling.findings.is_empty() {
        ruling.verdict = Some(Verdict::Violated);
        ruling.summary = format!("{from} cannot reach {to} and get an answer");
        ruling.open.clear();
    } else if !ruling.open.is_empty() {
        ruling.verdict = Some(Verdict::Undetermined);
        ruling.summary = format!("{from} may or may not reach {to}");
        ruling.open.sort();
        ruling.open.dedup();
    } else {
        ruling.verdict = Some(Verdict::Holds);
        ruling.summary = format!("{from} reaches {to} and gets an answer");
        let subject = if pairs == 1 { "the one pair".to_owned() } else { format!("each of {pairs} pairs") };
        let text = format!(
            "{subject} has a request that arrives and an answer that comes back, whatever the network chooses"
        );
        ruling.proof.push(Note { text, span: None });
    }
}

/// A pair that talks, and the rules that its packets pass by.
#[derive(Debug)]
pub(super) struct Standing {
    from: NodeId,
    to: NodeId,
    /// Empty in a changed network, where nothing is replayed.
    rules: BTreeSet<RuleRef>,
}

/// The pairs of a claim, if it holds.
pub(super) fn standing(judge: &Judge<'_>, reachable: &Reachable) -> Option<Vec<Standing>> {
    let pairs = pairs(judge, reachable, Reading::May);
    if pairs.is_empty() || pairs.len() > MOST_PAIRS {
        return None;
    }
    let stands = |(from, to)| match talk(judge, reachable, from, to, &Cut::default()) {
        Talk::Certain(rules) => Some(Standing { from, to, rules }),
        Talk::Never { .. } | Talk::Unsure(_) => None,
    };
    pairs.into_iter().map(stands).collect()
}

/// Whether pairs that talk still do in a network in which something is closed. What passes no closed rule still passes.
pub(super) fn still_stands(judge: &Judge<'_>, reachable: &Reachable, pairs: &[Standing], cut: &Cut) -> bool {
    let only_rules = Cut { closed: Vec::new(), ..cut.clone() }.is_empty();
    let touched = |pair: &&Standing| !only_rules || cut.closed.iter().any(|rule| pair.rules.contains(rule));
    let mut touched = pairs.iter().filter(touched);
    touched.all(|pair| matches!(talk(judge, reachable, pair.from, pair.to, cut), Talk::Certain(_)))
}

fn pairs(judge: &Judge<'_>, reachable: &Reachable, reading: Reading) -> Vec<(NodeId, NodeId)> {
    let network = judge.network;
    let from = senders(network, &places(network, &reachable.from.expr, reading));
    let to = senders(network, &places(network, &reachable.to.expr, reading));
    let mut pairs = Vec::new();
    for a in &from {
        pairs.extend(to.iter().filter(|b| *b != a).map(|b| (*a, *b)));
        if pairs.len() > MOST_PAIRS {
            break;
        }
    }
    pairs
}

/// What is known of a pair.
enum Talk {
    /// A request and its answer arrive, whatever the network chooses, by these rules.
    Certain(BTreeSet<RuleRef>),
    /// Not even on *may*.
    Never { request: Option<Packet>, reply: Option<Packet> },
    /// Between the two.
    Unsure(Vec<Open>),
}

fn talk(judge: &Judge<'_>, reachable: &Reachable, from: NodeId, to: NodeId, cut: &Cut) -> Talk {
    let pair = |reading| Pair { from, to, services: &reachable.packets, reading };
    let ask = |reading| round_trip(&judge.compiled, &pair(reading), cut, judge.options.limits);
    // What happens for certain may happen, so the other reading need not be asked about a pair that talks.
    let (request, reply) = match ask(Reading::Must) {
        Ok(RoundTrip::Both(candidates)) => {
            // In a changed network there is nothing to replay: it exists in the engine only.
            if !cut.is_empty() {
                return Talk::Certain(BTreeSet::new());
            }
            let mut candidates = candidates.iter();
            let always =
                candidates.find_map(|(request, reply)| always_arrives(judge, from, to, request, reply));
            if let Some(rules) = always {
                return Talk::Certain(rules);
            }
            return Talk::Unsure(vec![depends_on_choice(judge, from, to)]);
        }
        Ok(RoundTrip::RequestLost(request)) => (Some(request), None),
        Ok(RoundTrip::AnswerLost(request, reply)) => (Some(request), Some(reply)),
        Ok(RoundTrip::NoPacket) => (None, None),
        Err(stop) => return Talk::Unsure(vec![limit(stop)]),
    };
    match ask(Reading::May) {
        Ok(RoundTrip::Both(_)) => Talk::Unsure(what_is_open(judge, from, to, request, reply)),
        Ok(RoundTrip::RequestLost(request)) => Talk::Never { request: Some(request), reply: None },
        Ok(RoundTrip::AnswerLost(request, reply)) => {
            Talk::Never { request: Some(request), reply: Some(reply) }
        }
        Ok(RoundTrip::NoPacket) => Talk::Never { request: None, reply: None },
        Err(stop) => Talk::Unsure(vec![limit(stop)]),
    }
}

/// The rules that pass a request and its answer, if, by the second interpreter, every way that the network may choose brings
/// the request there and the answer back. For each way of the request alone, because only its devices know the connection.
fn always_arrives(
    judge: &Judge<'_>,
    from: NodeId,
    to: NodeId,
    request: &Packet,
    reply: &Packet,
) -> Option<BTreeSet<RuleRef>> {
    let question = honest(&[from, to]);
    let ask = Send { origin: replay::Origin::Honest(from), packet: *request, path: Vec::new() };
    let walked = replay::walk(judge.network, Reading::Must, &question, std::slice::from_ref(&ask));
    let leg = walked.legs.first().filter(|leg| !leg.branches.is_empty())?;
    let mut rules = BTreeSet::new();
    for branch in &leg.branches {
        let one = Send { path: super::schedule::crossings(judge.network, request, branch), ..ask.clone() };
        let answer = Send { origin: replay::Origin::Honest(to), packet: *reply, path: Vec::new() };
        let walked = replay::walk(judge.network, Reading::Must, &question, &[one, answer]);
        let back = walked.legs.get(1).map(|leg| leg.branches.as_slice()).unwrap_or_default();
        let returns = !back.is_empty() && back.iter().all(|branch| branch.end == End::Delivered(from));
        if branch.end != End::Delivered(to) || !returns {
            return None;
        }
        rules.extend(
            back.iter().chain([branch]).flat_map(|way| super::blame::rules_passed(judge.network, way)),
        );
    }
    Some(rules)
}

fn honest(nodes: &[NodeId]) -> Question {
    let foothold = |id: &NodeId| Foothold { place: replay::Place::Node(*id), stance: Stance::Honest };
    Question { footholds: nodes.iter().map(foothold).collect(), ..Question::default() }
}

/// Replays request and answer under a reading, as far as they get.
fn attempt(
    judge: &Judge<'_>,
    reading: Reading,
    (from, to): (NodeId, NodeId),
    request: Option<Packet>,
    reply: Option<Packet>,
) -> Vec<(NodeId, Packet, Option<Branch>)> {
    let ask = request.map(|packet| (from, packet));
    let answer = reply.map(|packet| (to, packet));
    let sends: Vec<Send> = ask
        .iter()
        .chain(&answer)
        .map(|(node, packet)| Send {
            origin: replay::Origin::Honest(*node),
            packet: *packet,
            path: Vec::new(),
        })
        .collect();
    let walked = replay::walk(judge.network, reading, &honest(&[from, to]), &sends);
    let furthest = |branches: Vec<Branch>| branches.into_iter().max_by_key(|branch| branch.hops.len());
    let senders = ask.into_iter().chain(answer);
    walked
        .legs
        .into_iter()
        .zip(senders)
        .map(|(leg, (node, packet))| (node, packet, furthest(leg.branches)))
        .collect()
}

/// What got furthest, and what stopped it.
fn lost(
    judge: &Judge<'_>,
    claim: &Claim,
    from: NodeId,
    to: NodeId,
    request: Option<Packet>,
    reply: Option<Packet>,
) -> Finding {
    let network = judge.network;
    let mut legs = Vec::new();
    let mut cause = None;
    for (node, packet, way) in attempt(judge, Reading::May, (from, to), request, reply) {
        let hops = way.map(|way| telling::hops(network, &packet, &way)).unwrap_or_default();
        cause = hops.last().and_then(|hop| hop.steps.last()).map(|step| Note {
            text: format!("{}: {}", hops.last().map(|hop| hop.place.as_str()).unwrap_or_default(), step.text),
            span: step.span,
        });
        legs.push(Leg {
            sender: Sender::Honest,
            channel: None,
            origin: network.node(node).name.clone(),
            spoofed: false,
            packet,
            hops,
            purpose: if node == from { "asks".to_owned() } else { "answers".to_owned() },
        });
    }
    if legs.is_empty() {
        let text = format!(
            "{} and {} have no addresses of one family for such a packet",
            network.node(from).name,
            network.node(to).name
        );
        cause = Some(Note { text, span: Some(network.node(to).span) });
    }
    let fingerprint =
        super::evidence::fingerprint(claim, &legs, &[&network.node(from).name, &network.node(to).name]);
    Finding { fingerprint, legs, cause, looked_closed: None, remedies: Vec::new(), choices: Vec::new() }
}

/// The unknowns on the way of a pair that talks only on *may*.
fn what_is_open(
    judge: &Judge<'_>,
    from: NodeId,
    to: NodeId,
    request: Option<Packet>,
    reply: Option<Packet>,
) -> Vec<Open> {
    let network = judge.network;
    let mut open = Vec::new();
    for (_, packet, way) in attempt(judge, Reading::Must, (from, to), request, reply) {
        let Some(way) = way else { continue };
        let mut unknowns = way.uncertain();
        if let End::Uncertain(more) = &way.end {
            unknowns.extend(more);
        }
        open.extend(unknowns.into_iter().map(|id| super::evidence::open_question(network, id)));
        let nodes = way.hops.iter().filter_map(|hop| match hop.place {
            replay::Place::Node(id) => Some(id),
            replay::Place::Segment(_) => None,
        });
        open.extend(nodes.filter_map(|id| super::evidence::unknown_kind(network, id)));
        if open.is_empty()
            && let Some(step) =
                telling::hops(network, &packet, &way).last().and_then(|hop| hop.steps.last().cloned())
        {
            open.push(Open {
                what: format!(
                    "whether {} from {} gets on: {}",
                    service_name(&packet),
                    network.node(from).name,
                    step.text
                ),
                span: step.span,
                settle: "describe this step for certain".to_owned(),
            });
        }
    }
    if open.is_empty() {
        open.push(uncertain_pair(judge, from, to));
    }
    open
}

fn uncertain_pair(judge: &Judge<'_>, from: NodeId, to: NodeId) -> Open {
    let network = judge.network;
    Open {
        what: format!(
            "whether {} and {} belong to the claim and can talk",
            network.node(from).name,
            network.node(to).name
        ),
        span: Some(network.node(from).span),
        settle: "`site:` and `kind:` on both nodes".to_owned(),
    }
}

fn depends_on_choice(judge: &Judge<'_>, from: NodeId, to: NodeId) -> Open {
    let network = judge.network;
    Open {
        what: format!(
            "whether every way that the network may choose between {} and {} lets them talk",
            network.node(from).name,
            network.node(to).name
        ),
        span: Some(network.node(from).span),
        settle: "the same filters and return routes on every equal-cost path".to_owned(),
    }
}

fn limit(stop: Stop) -> Open {
    let (what, option) = super::absence::stop_words(stop);
    Open { what, span: None, settle: format!("raise {option}") }
}
