//! `isoaudit trace`: packets in order, and every decision about each.

use super::Outcome;
use super::args::TraceArgs;
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::single;
use super::output::{Outputs, unsupported, usage};
use super::packet::{Names, Start, Words};
use super::pipeline::{self, Description, ReadOptions};
use isoaudit::diag::Diagnostics;
use isoaudit::model::{Network, Reading};
use isoaudit::replay::{self, Branch, End, Foothold, Origin, Place, Question, Send, Stance, describe, walk};
use isoaudit::report::Detail;
use isoaudit::report::trace::{Trace, Traced, Walk};
use isoaudit::source::SourceMap;
use isoaudit::verdict::{Leg, Sender, tell_hops};

/// Walks, then writes.
pub(super) fn run(arguments: &TraceArgs, console: &Console) -> Outcome {
    let detail = if arguments.verbose { Detail::Full } else { Detail::Normal };
    let outputs = Outputs::new(&arguments.formats, detail)?;
    let mut sources = SourceMap::default();
    let trace = trace(arguments, &mut sources).map_err(|failure| outputs.refuse(failure, console))?;
    outputs.deliver(console, |format, look| {
        let render = format.trace.ok_or_else(|| unsupported(format, "trace"))?;
        Ok(render(&trace, &sources, look))
    })?;
    Ok(Exit::Fine)
}

fn trace(arguments: &TraceArgs, sources: &mut SourceMap) -> Result<Trace, Failure> {
    let mut packets = Vec::new();
    for text in &arguments.after {
        packets.push(Words::read(text).map_err(|error| usage(&format!("--after '{text}': {error}")))?);
    }
    packets.push(Words::of(arguments));
    let input = single(&arguments.input, &arguments.description, "trace")?;
    let read = pipeline::read(sources, &input, &ReadOptions { as_of: arguments.as_of });
    let Description { network, .. } = read.map_err(|wrong| Failure::input(wrong, std::mem::take(sources)))?;
    let mut wrong = Diagnostics::default();
    let starts: Vec<Start> =
        packets.iter().filter_map(|words| words.resolve(&network, sources, &mut wrong)).collect();
    let names = Names { network: &network };
    let via: Vec<Place> = arguments.via.iter().filter_map(|name| names.place(name, &mut wrong)).collect();
    if wrong.has_errors() {
        return Err(Failure::input(wrong, std::mem::take(sources)));
    }
    Ok(Trace { topology: network.name.clone(), packets: walks(&network, &starts, &via, arguments.max_walks) })
}

/// Every walk of each packet; those of the last are narrowed to what passes all of `via`.
fn walks(network: &Network, starts: &[Start], via: &[Place], walks_max: usize) -> Vec<Traced> {
    let sends: Vec<Send> = starts
        .iter()
        .map(|start| Send { origin: start.origin, packet: start.packet, path: Vec::new() })
        .collect();
    let question = question(starts);
    let certain = walk(network, Reading::Must, &question, &sends);
    let possible = walk(network, Reading::May, &question, &sends);
    let mut out = Vec::new();
    for (index, (start, leg)) in starts.iter().zip(&possible.legs).enumerate() {
        let is_last = index + 1 == starts.len();
        let sure = certain.legs.get(index).map_or(&[][..], |leg| leg.branches.as_slice());
        let passes = |branch: &&Branch| {
            let all = via.iter().all(|place| branch.hops.iter().any(|hop| hop.place == *place));
            enters_by(branch, start) && (!is_last || all)
        };
        let mut walks: Vec<Walk> =
            leg.branches.iter().filter(passes).map(|branch| told(network, start, branch, sure)).collect();
        // Certain walks first, then those that arrive; among equals the order of the interpreter.
        walks.sort_by_key(|walk| (!walk.certain, !walk.delivered));
        let more_walks = walks.len() > walks_max;
        walks.truncate(walks_max);
        out.push(Traced { walks, more_walks });
    }
    out
}

/// Whoever sends may do so.
fn question(starts: &[Start]) -> Question {
    let mut question = Question::default();
    for start in starts {
        let (place, stance) = match start.origin {
            Origin::Segment(id) => (Place::Segment(id), Stance::Adversary),
            Origin::Node(id) => (Place::Node(id), Stance::Adversary),
            Origin::Honest(id) => (Place::Node(id), Stance::Honest),
            // An answer needs a packet before it, not a foothold.
            Origin::Answer(_) => continue,
        };
        question.footholds.push(Foothold { place, stance });
        if let Origin::Segment(id) = start.origin {
            question.adversary_segments.insert(id);
        }
    }
    question
}

/// Whether a walk begins as was said: at the named interface of the first node.
fn enters_by(branch: &Branch, start: &Start) -> bool {
    let first = branch.hops.iter().find(|hop| matches!(hop.place, Place::Node(_)));
    start.receiver.is_none_or(|receiver| first.is_some_and(|hop| hop.incoming == Some(receiver)))
}

fn told(network: &Network, start: &Start, branch: &Branch, sure: &[Branch]) -> Walk {
    let (sender, origin) = match start.origin {
        Origin::Segment(id) => (Sender::Adversary, Place::Segment(id)),
        Origin::Node(id) => (Sender::Adversary, Place::Node(id)),
        Origin::Honest(id) => (Sender::Honest, Place::Node(id)),
        Origin::Answer(id) => (Sender::Answer, Place::Node(id)),
    };
    let leg = Leg {
        sender,
        channel: None,
        origin: describe::place_name(network, origin),
        spoofed: is_spoofed(network, start),
        packet: start.packet,
        hops: tell_hops(network, &start.packet, branch),
        purpose: String::new(),
    };
    let unknowns = branch.uncertain().into_iter().map(|id| {
        let unknown = network.unknown(id);
        format!("{}; settled by {}", unknown.what, unknown.settle)
    });
    Walk {
        leg,
        end: end(network, branch),
        delivered: matches!(branch.end, End::Delivered(_)),
        certain: sure.iter().any(|other| is_same_way(branch, other)),
        depends: unknowns.collect(),
    }
}

/// Whether two interpreters' walks, of *may* and of *must*, go the same way to the same end.
fn is_same_way(one: &Branch, other: &Branch) -> bool {
    let step = |hop: &replay::Hop| (hop.place, hop.incoming, hop.outgoing, hop.packet);
    std::mem::discriminant(&one.end) == std::mem::discriminant(&other.end)
        && one.hops.iter().map(step).eq(other.hops.iter().map(step))
}

fn is_spoofed(network: &Network, start: &Start) -> bool {
    match start.origin {
        Origin::Node(id) => !network.own_addresses(id).any(|address| address == start.packet.src),
        Origin::Segment(_) | Origin::Honest(_) | Origin::Answer(_) => false,
    }
}

/// How a walk ends, in words that go on from "certainly" or "possibly".
fn end(network: &Network, branch: &Branch) -> String {
    let last = branch.hops.last().map(|hop| hop.place);
    match (&branch.end, last) {
        (End::OnSegment(id), _) => format!("put on {}", network.segment(*id).name),
        (End::Delivered(id), _) => format!("delivered to {}", network.node(*id).name),
        (other, Some(place)) => {
            let told = describe::tell_end(network, last, other).map_or(String::new(), |told| told.text);
            format!("ends at {}: {told}", describe::place_name(network, place))
        }
        (other, None) => {
            let told = describe::tell_end(network, None, other).map_or(String::new(), |told| told.text);
            format!("not sent: {told}")
        }
    }
}
