//! Devices that a claim trusts by their role only: does it hang on the trust in one that the adversary can reach?

use super::Open;
use super::judge::Judge;
use super::lower::{Absence, places};
use crate::engine::{Answer, Query, solve, solve_coarsely};
use crate::model::{NodeId, Reading};

/// Whether the claim holds without the trust in devices that the adversary may reach. This is quick; `false` says
/// nothing.
pub(super) fn is_surely_needless(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
) -> bool {
    let doubtful = doubtful(judge, absence, answer);
    doubtful.is_empty() || {
        let taken = with_taken(query, &doubtful);
        solve_coarsely(&judge.compiled, &taken, judge.options.limits).is_some()
    }
}

/// Devices that the claim trusts only by their role, that the adversary can deliver packets to, and without which the
/// claim would not hold.
pub(super) fn conditional(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
) -> Vec<Open> {
    let doubtful = doubtful(judge, absence, answer);
    // Havoc at more devices reaches no less, so one question may answer for all.
    if doubtful.is_empty() || nothing_arrives(judge, &with_taken(query, &doubtful)) {
        return Vec::new();
    }
    let matters = |id: &NodeId| !nothing_arrives(judge, &with_taken(query, &[*id]));
    let mut open: Vec<Open> =
        doubtful.iter().copied().filter(matters).map(|id| stays_trusted(judge, id)).collect();
    if open.is_empty() {
        // Each alone changes nothing, but all of them together do.
        open.extend(doubtful.into_iter().map(|id| stays_trusted(judge, id)));
    }
    open
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

fn doubtful(judge: &Judge<'_>, absence: &Absence<'_>, answer: &Answer) -> Vec<NodeId> {
    if absence.trusts.is_some() || absence.honest {
        return Vec::new();
    }
    let trusted = absence.trusted(judge.network, Reading::May);
    let from = places(judge.network, &absence.from.expr, Reading::May);
    let delivered = answer.delivered.iter().copied();
    delivered.filter(|id| trusted[id.index()] && from.nodes[id.index()]).collect()
}

fn with_taken(query: &Query, nodes: &[NodeId]) -> Query {
    let mut taken = query.clone();
    for id in nodes {
        taken.footholds.nodes[id.index()] = true;
    }
    taken
}

fn nothing_arrives(judge: &Judge<'_>, query: &Query) -> bool {
    let (compiled, limits) = (&judge.compiled, judge.options.limits);
    solve_coarsely(compiled, query, limits).is_some() || {
        let answer = solve(compiled, query, limits);
        answer.reached.is_empty() && answer.stop.is_none()
    }
}
