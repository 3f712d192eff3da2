//! Claims that something does not happen: `isolated`, `confined`, `only-via`.
//!
//! *May* is asked first; empty is proof. Then *must*, first with the adversary's own addresses and described hosts only,
//! because such a path convinces more. Between the two a claim is undetermined.

use super::evidence::{self, Asked, Evidence};
use super::judge::{Judge, Ruling};
use super::lower::Absence;
use super::{Finding, Note, Open, Verdict, proof, trust, vacuity};
use crate::claim::Claim;
use crate::engine::{Answer, Query, Stop, is_surely_empty, solve, solve_coarsely};
use crate::model::Reading;

/// Decides all absences of a claim together.
///
/// The quick proof comes first, then the search for what certainly breaks the claim. Only where neither settles it is
/// the exact *may* worth its time.
pub(super) fn decide(judge: &Judge<'_>, claim: &Claim, absences: &[Absence<'_>]) -> Ruling {
    let mut ruling = Ruling::default();
    let mut broken = Vec::new();
    let mut possible = Vec::new();
    for absence in absences {
        let query = absence.query(&judge.compiled, judge.network, Reading::May);
        let quick = solve_coarsely(&judge.compiled, &query, judge.options.limits);
        if quick.is_none() && violations(judge, claim, absence, &mut ruling) {
            broken.push(absence);
            continue;
        }
        let quick = quick.filter(|answer| trust::is_surely_needless(judge, absence, &query, answer));
        if let Some(answer) = quick {
            settle_absence(judge, absence, &query, &answer, Vec::new(), &mut ruling);
            continue;
        }
        let answer = solve(&judge.compiled, &query, judge.options.limits);
        if answer.reached.is_empty() && answer.stop.is_none() {
            let conditional = trust::conditional(judge, absence, &query, &answer);
            settle_absence(judge, absence, &query, &answer, conditional, &mut ruling);
        } else {
            possible.push((absence, query, answer));
        }
    }
    if let Some(absence) = broken.first() {
        ruling.verdict = Some(Verdict::Violated);
        ruling.summary = sentence(absence, "can");
        ruling.open.clear();
    } else if let Some((absence, ..)) = possible.first() {
        ruling.verdict = Some(Verdict::Undetermined);
        ruling.summary = sentence(absence, "may");
        for (absence, query, answer) in &possible {
            doubts(judge, Asked { claim, absence, query }, answer, &mut ruling);
        }
    } else if ruling.verdict.is_none() {
        ruling.verdict = Some(Verdict::Holds);
        ruling.summary = match absences.first() {
            Some(absence) if absence.honest => {
                format!("what {} sends to itself never leaves it{}", absence.from.text, apart_from(absence))
            }
            Some(absence) if absences.len() > 1 => {
                format!("{}, nor the other way round", nothing_arrives(absence))
            }
            Some(absence) => nothing_arrives(absence),
            None => String::new(),
        };
    }
    ruling
}

/// What a broken absence comes to.
fn sentence(absence: &Absence<'_>, verb: &str) -> String {
    let (from, to) = (&absence.from.text, absence.to.words());
    match (absence.honest, absence.cut.is_empty()) {
        (true, _) => format!("packets between places of {from} {verb} leave it"),
        (false, true) => format!("{from} {verb} reach {to}"),
        (false, false) => format!("{from} {verb} reach {to} without passing a door of `via`"),
    }
}

/// What an absence that holds comes to.
fn nothing_arrives(absence: &Absence<'_>) -> String {
    let (from, to) = (&absence.from.text, absence.to.words());
    let doors = if absence.cut.is_empty() { "" } else { " without passing a door of `via`" };
    format!("nothing from {from} arrives at {to}{doors}{}", apart_from(absence))
}

/// ", apart from 2 excepted flows", or nothing.
fn apart_from(absence: &Absence<'_>) -> String {
    match absence.except.len() {
        0 => String::new(),
        1 => ", apart from 1 excepted flow".to_owned(),
        count => format!(", apart from {count} excepted flows"),
    }
}

/// An absence whose *may* is empty: it holds, unless it is vacuous or rests on a device that the adversary can reach.
fn settle_absence(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
    conditional: Vec<Open>,
    ruling: &mut Ruling,
) {
    let emptiness = vacuity::look(judge, absence);
    ruling.notes.extend(emptiness.notes);
    if !emptiness.reasons.is_empty() {
        ruling.verdict = ruling.verdict.max(Some(Verdict::Vacuous));
        ruling.summary = "the claim says nothing about this network".to_owned();
        ruling.open.extend(emptiness.reasons);
        return;
    }
    if !conditional.is_empty() {
        if ruling.verdict != Some(Verdict::Vacuous) {
            ruling.verdict = Some(Verdict::Undetermined);
            ruling.summary =
                format!("{}, if devices that it can reach stay trusted", nothing_arrives(absence));
        }
        ruling.open.extend(conditional);
        return;
    }
    ruling.proof.extend(proof::what_was_proved(judge, absence, query, answer));
}

/// Looks for counterexamples, cause by cause. Returns whether there is one.
fn violations(judge: &Judge<'_>, claim: &Claim, absence: &Absence<'_>, ruling: &mut Ruling) -> bool {
    let mut query = absence.query(&judge.compiled, judge.network, Reading::Must);
    query.own_sources = true;
    let undescribed = std::mem::take(&mut query.honest_segments);
    let mut found = false;
    // Each turn closes something new, or falls back from own sources to any, and to hosts that nobody described.
    for _ in 0..=judge.options.max_causes {
        // Once something is closed, mostly nothing is left: whoever may forge sources asks for all who may not.
        if found && query.own_sources {
            let mut all = Query { own_sources: false, ..query.clone() };
            all.honest_segments.clone_from(&undescribed);
            if is_surely_empty(&judge.compiled, &all, judge.options.limits) {
                return found;
            }
        }
        let answer = solve(&judge.compiled, &query, judge.options.limits);
        let Some(witness) = &answer.witness else {
            if query.own_sources {
                query.own_sources = false;
                query.honest_segments.clone_from(&undescribed);
                continue;
            }
            return found;
        };
        let asked = Asked { claim, absence, query: &query };
        match evidence::of_violation(judge, asked, witness) {
            Evidence::Confirmed { finding, blame } => {
                found = true;
                push_distinct(&mut ruling.findings, *finding);
                if !blame.close(&mut query) {
                    return true;
                }
            }
            Evidence::Refuted(open) => {
                // The two interpreters disagree: nothing may be said for certain.
                ruling.open.push(open);
                return found;
            }
        }
    }
    ruling.more_findings = true;
    found
}

fn push_distinct(findings: &mut Vec<Finding>, finding: Finding) {
    if findings.iter().all(|known| known.fingerprint != finding.fingerprint) {
        findings.push(finding);
    }
}

/// A limit in words, and the option that raises it.
pub(super) fn stop_words(stop: Stop) -> (String, &'static str) {
    match stop {
        Stop::Nodes(limit) => (format!("the sets needed more than {limit} nodes"), "--limit-nodes"),
        Stop::Steps(limit) => (format!("the search took more than {limit} rounds"), "--limit-rounds"),
    }
}

/// A possible path, and what keeps it from being certain.
type Doubt = (Option<Finding>, Vec<Open>);

/// A possible path of the adversary's own addresses and described hosts, if there is one that is as plain as `any`: it
/// convinces more.
fn convincing_doubt(judge: &Judge<'_>, asked: Asked<'_>, any: &Doubt) -> Option<Doubt> {
    let query = Query { own_sources: true, honest_segments: Vec::new(), ..asked.query.clone() };
    let answer = solve(&judge.compiled, &query, judge.options.limits);
    let (finding, open) = evidence::of_doubt(judge, Asked { query: &query, ..asked }, &answer.witness?);
    let legs = |finding: &Option<Finding>| finding.as_ref().map_or(usize::MAX, |one| one.legs.len());
    let plain = legs(&finding) <= legs(&any.0) && open.len() <= any.1.len();
    (finding.is_some() && plain).then_some((finding, open))
}

/// What keeps a possible path from being certain.
fn doubts(judge: &Judge<'_>, asked: Asked<'_>, answer: &Answer, ruling: &mut Ruling) {
    if let Some(stop) = answer.stop {
        let (what, option) = stop_words(stop);
        ruling.limits.push(what.clone());
        ruling.open.push(Open { what, span: None, settle: format!("raise {option}") });
    }
    if let Some(witness) = &answer.witness {
        let any = evidence::of_doubt(judge, asked, witness);
        let (finding, open) = convincing_doubt(judge, asked, &any).unwrap_or(any);
        ruling.findings.extend(finding);
        ruling.open.extend(open);
    }
    if ruling.open.is_empty() {
        let places: Vec<String> =
            answer.reached.iter().map(|place| evidence::place_name(judge.network, *place)).collect();
        ruling.notes.push(Note { text: format!("possibly reached: {}", places.join(", ")), span: None });
        ruling.open.push(Open {
            what: "an over-approximation of the engine: no single unknown explains the path".to_owned(),
            span: None,
            settle: "describe the devices on the path more exactly".to_owned(),
        });
    }
    ruling.open.sort();
    ruling.open.dedup();
}
