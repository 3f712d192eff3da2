//! What a claim that holds rests on: what was covered, and what ends packets where they end.

use super::Note;
use super::judge::Judge;
use super::lower::Absence;
use crate::engine::{Answer, EndedBy, Ending, Place, Query};
use crate::model::Network;
use crate::source::Span;
use std::collections::BTreeMap;

/// The sentences of a proof.
pub(super) fn what_was_proved(
    judge: &Judge<'_>,
    absence: &Absence<'_>,
    query: &Query,
    answer: &Answer,
) -> Vec<Note> {
    let network = judge.network;
    let mut notes = vec![Note { text: coverage(absence, query), span: None }];
    let mut by_cause: BTreeMap<(String, Option<Span>), usize> = BTreeMap::new();
    for ending in &answer.endings {
        *by_cause.entry(words(network, ending)).or_default() += 1;
    }
    notes.extend(by_cause.into_keys().map(|(text, span)| Note { text, span }));
    if answer.endings.is_empty() {
        notes.push(Note {
            text: "no node receives any of these packets: there is no link".to_owned(),
            span: None,
        });
    }
    notes
}

fn coverage(absence: &Absence<'_>, query: &Query) -> String {
    let count = |places: &crate::engine::Places| {
        let nodes = places.iter().filter(|place| matches!(place, Place::Node(_))).count();
        (nodes, places.iter().count() - nodes)
    };
    if absence.honest {
        let undescribed = match query.honest_segments.len() {
            0 => String::new(),
            count => format!(", or a host that nobody described on one of {},", number(count, "segment")),
        };
        return format!(
            "every packet that one of {}{undescribed} within sends to an address within, on every path, forged \
             neighbours included",
            number(query.honest.len(), "honest sender")
        );
    }
    let (nodes, segments) = count(&query.footholds);
    let (to_nodes, to_segments) = count(&query.targets);
    format!(
        "every packet, of both families and with any source address, that can be sent from {} and {} of `{}`, on \
         every path to {} and {} of `{}`{}",
        number(nodes, "node"),
        number(segments, "segment"),
        absence.from.text,
        number(to_nodes, "node"),
        number(to_segments, "segment"),
        absence.to.words(),
        if absence.cut.is_empty() { "" } else { ", with the doors of `via` closed" }
    )
}

/// A number with its noun.
fn number(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// What ended packets, in words, with the place.
fn words(network: &Network, ending: &Ending) -> (String, Option<Span>) {
    let node = network.node(ending.node);
    let name = &node.name;
    match ending.by {
        EndedBy::Rule(_, place) => {
            let chain = &network.filter(place.filter).chains[place.chain];
            match chain.rules.get(place.rule) {
                Some(rule) => (format!("{name} stops packets by rule {}", rule.name), Some(rule.span)),
                None => (format!("{name} stops packets by the default of {}", chain.name), Some(chain.span)),
            }
        }
        EndedBy::NoRoute => (format!("{name} has no route for some packets"), Some(node.span)),
        EndedBy::Blackhole => (format!("{name} drops packets by a blackhole route"), Some(node.span)),
        EndedBy::Spoofed => {
            let interface = network.interface(ending.receiver);
            (format!("{name}:{} drops strange sources", interface.name), Some(interface.span))
        }
        EndedBy::NotForwarding => (format!("{name} does not forward"), Some(node.span)),
    }
}
