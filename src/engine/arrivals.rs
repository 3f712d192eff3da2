//! All-pairs questions: where do the packets of each of many sources arrive? All sources share the sets that were worked
//! out for the others.

use super::compiled::Compiled;
use super::parallel;
use super::query::{Limits, Place, Query, Stop};
use super::run::{Colour, Run};
use super::solve::{bad_places, connections, start_counted};
use crate::set::Set;

/// Queries that share one layer: enough to find most of their work done, few enough for all threads to have some.
const PIECE: usize = 32;

/// For each query, the places of its targets where something arrives that is not free, without a way there.
///
/// The queries are decided in pieces, each on one layer of sets, so what one of a piece has worked out the next ones
/// find done. The limit of nodes then binds a piece; the pieces do not depend on the number of threads.
///
/// # Errors
/// Of each query, the limit that was met.
pub fn arrivals(compiled: &Compiled<'_>, queries: &[Query], limits: Limits) -> Vec<Result<Vec<Place>, Stop>> {
    let pieces: Vec<&[Query]> = queries.chunks(PIECE).collect();
    let pieces = parallel::map(&pieces, |piece| {
        let mut layer = None;
        let mut answers = Vec::with_capacity(piece.len());
        for query in *piece {
            let mut view = match layer.take() {
                Some((reading, view)) if reading == query.reading => view,
                _ => compiled.view(query.reading, &query.cut, limits),
            };
            let answer = arrive(&mut view, query, limits);
            // Sets of an exhausted layer mean nothing.
            layer = answer.is_ok().then_some((query.reading, view));
            answers.push(answer);
        }
        answers
    });
    pieces.into_iter().flatten().collect()
}

fn arrive(view: &mut super::view::View<'_>, query: &Query, limits: Limits) -> Result<Vec<Place>, Stop> {
    view.change(&query.cut.without_doors());
    let openers = connections(view, query, limits, Set::FULL).map_err(|cut_short| cut_short.1)?;
    view.change(&query.cut);
    let mut run = Run::new(query, view.compiled.network, Colour::Counted, limits.steps);
    run.take_tables(&openers);
    start_counted(view, &mut run);
    run.settle(view)?;
    Ok(bad_places(view, &run).into_iter().map(|(place, _)| place).collect())
}
