//! Devices that a claim trusts by their role only: does it hang on the trust in one that the adversary can reach?

use super::Open;
use super::judge::Judge;
use super::lower::{Absence, places};
use crate::engine::{Answer, Query, solve, solve_coarsely};
use crate::model::{NodeId, Reading};
use std::collections::BTreeSet;

/// Whether the claim holds without the trust in devices that the adversary may reach. This is quick; `false` says
/// nothing.
pub(super) fn is_surely_needless(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
) -> bool {
    let quickly = |query: &Query| solve_coarsely(&judge.compiled, query, judge.options.limits);
    taken_one_by_another(judge, absence, query, answer, quickly).is_ok()
}

/// Devices that the claim trusts only by their role, that the adversary can deliver packets to, and without which the
/// claim would not hold.
pub(super) fn conditional(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
) -> Vec<Open> {
    let (compiled, limits) = (&judge.compiled, judge.options.limits);
    let exactly = |query: &Query| {
        let answer =
            solve_coarsely(compiled, query, limits).unwrap_or_else(|| solve(compiled, query, limits));
        (answer.reached.is_empty() && answer.stop.is_none()).then_some(answer)
    };
    let Err(taken) = taken_one_by_another(judge, absence, query, answer, exactly) else { return Vec::new() };
    let alone = |id: &NodeId| exactly(&with_taken(query, &BTreeSet::from([*id]))).is_none();
    let mut matter: Vec<NodeId> = taken.iter().copied().filter(alone).collect();
    if matter.is_empty() {
        // Each alone changes nothing, but one gives way to another.
        matter.extend(taken);
    }
    matter.into_iter().map(|id| stays_trusted(judge, id)).collect()
}

/// Lets the adversary take every such device that it reaches, and then those that it reaches from there, until there are
/// no more. Fails with the devices taken so far once something arrives. `answer` is of nobody taken; `ask` gives the
/// answer if nothing arrives.
fn taken_one_by_another(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
    ask: impl Fn(&Query) -> Option<Answer>,
) -> Result<(), BTreeSet<NodeId>> {
    let mut taken = doubtful(judge, absence, answer);
    let mut known = 0;
    while taken.len() > known {
        known = taken.len();
        match ask(&with_taken(query, &taken)) {
            Some(answer) => taken.extend(doubtful(judge, absence, &answer)),
            None => return Err(taken),
        }
    }
    Ok(())
}

fn stays_trusted(judge: &Judge<'_>, id: NodeId) -> Open {
    let node = judge.network.node(id);
    Open {
        what: format!(
            "whether {} stays trusted: packets of the adversary are delivered past its input filter",
            node.name
        ),
        span: Some(node.span),
        settle: format!(
            "list it under `trusts` in the claim (`node:{}`), or deny them at its input",
            node.name
        ),
    }
}

fn doubtful(judge: &Judge<'_>, absence: &Absence<'_>, answer: &Answer) -> BTreeSet<NodeId> {
    if absence.trusts.is_some() || absence.honest {
        return BTreeSet::new();
    }
    let trusted = absence.trusted(judge.network, Reading::May);
    let from = places(judge.network, &absence.from.expr, Reading::May);
    let delivered = answer.delivered.iter().copied();
    delivered.filter(|id| trusted[id.index()] && from.nodes[id.index()]).collect()
}

fn with_taken(query: &Query, nodes: &BTreeSet<NodeId>) -> Query {
    let mut taken = query.clone();
    for id in nodes {
        taken.footholds.nodes[id.index()] = true;
    }
    taken
}
