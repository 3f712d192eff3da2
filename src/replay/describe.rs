//! Decisions and ends in words, with the place in the input that each rests on.

use super::filter::{Decider, Judgement, Ruling};
use super::put::Reason;
use super::route::{Found, Outcome, SourceCheck};
use super::state::{Hit, Relation};
use super::trail::{Branch, Decision, End, Hop, Place};
use crate::header::Packet;
use crate::model::translation::End as TranslatedEnd;
use crate::model::{Antispoof, Existence, InterfaceId, Network, NextHop, Stage, UnknownId};
use crate::source::Span;

/// One decision in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where in the walk: `send`, `ingress`, `prerouting`, `state`, `source`, `route`, `translate`, `input`, `forward`,
    /// `output`, `egress` or `arrive`.
    pub stage: &'static str,
    /// A phrase: "rule ping allows", "routes 0.0.0.0/0 via 192.0.2.2".
    pub text: String,
    /// The line that decides.
    pub span: Option<Span>,
    /// What it hangs on, if it is not certain.
    pub uncertain: Vec<UnknownId>,
    /// How many rules were looked at before and did not match.
    pub passed_over: usize,
}

/// One hop in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldHop {
    /// The node or segment.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The in-interface, if the packet came in on one.
    pub incoming: Option<String>,
    /// The out-interface, if it goes out on one.
    pub outgoing: Option<String>,
    /// What was decided here, in order.
    pub steps: Vec<Told>,
    /// The packet as it leaves, where it was changed.
    pub changed: Option<Packet>,
}

/// A whole way in words. The end is the last step of the last hop. A way without hops tells nothing: see [`tell_end`].
pub fn tell(network: &Network, sent: &Packet, branch: &Branch) -> Vec<ToldHop> {
    let mut before = *sent;
    let mut hops: Vec<ToldHop> = Vec::new();
    for (index, hop) in branch.hops.iter().enumerate() {
        let next = branch.hops.get(index + 1).and_then(|next| next.incoming);
        hops.push(tell_hop(network, hop, next, (hop.packet != before).then_some(hop.packet)));
        before = hop.packet;
    }
    if let Some(last) = hops.last_mut() {
        last.steps.extend(tell_end(network, Some(last.place), &branch.end));
    }
    hops
}

/// `next` is the interface by which the way goes on. It stands first among those that hear a frame, for a list of many is
/// cut.
fn tell_hop(network: &Network, hop: &Hop, next: Option<InterfaceId>, changed: Option<Packet>) -> ToldHop {
    let short = |id: InterfaceId| network.interface(id).name.clone();
    let mut steps: Vec<Told> = hop
        .decisions
        .iter()
        .filter_map(|decision| match (decision, next) {
            (Decision::Put { receivers, reason }, Some(next)) if receivers.contains(&next) => {
                let mut receivers = receivers.clone();
                receivers.sort_by_key(|id| *id != next);
                let told = plain("arrive", tell_put(network, &receivers, *reason));
                Some(Told { uncertain: decision.uncertain(), ..told })
            }
            (Decision::Local, _) if !is_own(network, hop) => {
                Some(plain("route", format!("it may listen to the group {}", hop.packet.dst)))
            }
            _ => tell_decision(network, hop.place, decision),
        })
        .collect();
    // Nothing was decided by a node that only starts the packet, and the reader should see that.
    if steps.is_empty() && hop.incoming.is_none() && matches!(hop.place, Place::Node(_)) {
        steps.push(plain("send", "sends it"));
    }
    ToldHop {
        place: hop.place,
        name: place_name(network, hop.place),
        incoming: hop.incoming.map(short),
        outgoing: hop.outgoing.map(short),
        steps,
        changed,
    }
}

/// Whether the destination of a packet is an address of the node where it is.
fn is_own(network: &Network, hop: &Hop) -> bool {
    match hop.place {
        Place::Node(id) => network.own_addresses(id).any(|address| address == hop.packet.dst),
        Place::Segment(_) => false,
    }
}

/// The name of a place.
pub fn place_name(network: &Network, place: Place) -> String {
    match place {
        Place::Node(id) => network.node(id).name.clone(),
        Place::Segment(id) => network.segment(id).name.clone(),
    }
}

fn plain(stage: &'static str, text: impl Into<String>) -> Told {
    Told { stage, text: text.into(), span: None, uncertain: Vec::new(), passed_over: 0 }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Ingress => "ingress",
        Stage::Prerouting => "prerouting",
        Stage::Input => "input",
        Stage::Forward => "forward",
        Stage::EarlyOutput | Stage::Output | Stage::LateOutput => "output",
        Stage::Egress => "egress",
    }
}

/// A decision in words; `None` if there is nothing to tell, such as an interface without a list of its own.
pub fn tell_decision(network: &Network, place: Place, decision: &Decision) -> Option<Told> {
    let mut told = match decision {
        Decision::Injected => plain("send", "sends it past its own filters"),
        Decision::Judged { stage, judgement, state: _ } => tell_judgement(network, *stage, judgement),
        Decision::Unfiltered { stage, none_at_all } => tell_unfiltered(network, place, *stage, *none_at_all)?,
        Decision::Marked { mark, by } => {
            let (subject, span) = decider(network, *by);
            Told { span: Some(span), ..plain("mark", format!("{subject} marks it {mark:#x}")) }
        }
        Decision::Translated { judgement, end } => tell_translation(network, judgement, *end),
        Decision::Untranslated(why) => {
            let span = why.first().and_then(|id| network.unknown(*id).span);
            Told { span, ..plain("translate", "may pass untranslated") }
        }
        Decision::Connection(hit) => plain("state", tell_hit(*hit)),
        Decision::Source { check, incoming } => tell_source(network, check, *incoming)?,
        Decision::Local => plain("route", "the destination is its own"),
        Decision::Routed { found, hop } => tell_route(network, place, found, *hop),
        Decision::Announced(id) => {
            doubtful(network, "route", "a route announced later may send it here", *id)
        }
        Decision::GroupRouted(id) => {
            let text = "may go on to the members of the group, wherever they are";
            Told { span: id.and_then(|id| network.unknown(id).span), ..plain("route", text) }
        }
        Decision::SourceRouted(id) => {
            let text = "may go on to any destination by source routing";
            Told { span: id.and_then(|id| network.unknown(id).span), ..plain("route", text) }
        }
        Decision::Put { receivers, reason } => plain("arrive", tell_put(network, receivers, *reason)),
        Decision::Joined(id) => doubtful(network, "arrive", "the frame may get here too", *id),
        Decision::Internet => plain("arrive", "is on the internet"),
        Decision::Undescribed(id) => {
            doubtful(network, "arrive", "reaches a place that nobody described", *id)
        }
    };
    told.uncertain = decision.uncertain();
    Some(told)
}

fn doubtful(network: &Network, stage: &'static str, text: &str, id: UnknownId) -> Told {
    Told { span: network.unknown(id).span, ..plain(stage, text) }
}

fn tell_hit(hit: Hit) -> String {
    let verb = match hit.relation {
        Relation::Repeats => "repeats",
        Relation::Reverses => "reverses",
    };
    let what = if hit.connection.admits { "established: " } else { "translated back: " };
    format!("{what}{verb} the connection opened by packet {}", hit.connection.opened_by + 1)
}

fn tell_judgement(network: &Network, stage: Stage, judgement: &Judgement) -> Told {
    let certain = judgement.uncertain.is_empty();
    let verb = match judgement.ruling {
        Ruling::Accept if certain => "allows",
        Ruling::Accept => "may allow",
        Ruling::Drop if certain => "drops",
        Ruling::Drop => "may drop",
        Ruling::Reject if certain => "rejects",
        Ruling::Reject => "may reject",
        Ruling::Translate(_) if certain => "translates",
        Ruling::Translate(_) => "may translate",
    };
    let (subject, span) = decider(network, judgement.by);
    Told {
        stage: stage_word(stage),
        text: format!("{subject} {verb}"),
        span: Some(span),
        uncertain: judgement.uncertain.clone(),
        passed_over: judgement.passed_over,
    }
}

fn tell_translation(network: &Network, judgement: &Judgement, end: TranslatedEnd) -> Told {
    let which = match end {
        TranslatedEnd::Source => "the source",
        TranslatedEnd::Destination => "the destination",
    };
    let told = tell_judgement(network, Stage::Prerouting, judgement);
    Told { stage: "translate", text: format!("{} {which}", told.text), ..told }
}

/// What decided, as a noun, and where it stands.
pub fn decider(network: &Network, by: Decider) -> (String, Span) {
    match by {
        Decider::Rule { filter, chain, rule } => {
            let chain = &network.filter(filter).chains[chain];
            let rule = &chain.rules[rule];
            // A rule that has only a number needs its chain beside it.
            let is_number = rule.name.bytes().all(|b| b.is_ascii_digit());
            let name = match is_number {
                true => format!("rule {} of {}", rule.name, chain.name),
                false => format!("rule {}", rule.name),
            };
            (name, rule.span)
        }
        Decider::Policy { filter, chain } => {
            let chain = &network.filter(filter).chains[chain];
            (format!("the default of {}", chain.name), chain.span)
        }
        Decider::End { filter, chain } => {
            let chain = &network.filter(filter).chains[chain];
            (format!("the end of {}", chain.name), chain.span)
        }
    }
}

fn tell_unfiltered(network: &Network, place: Place, stage: Stage, none_at_all: bool) -> Option<Told> {
    let why = if none_at_all { "no policy" } else { "no list for this family" };
    let what = match stage {
        Stage::Forward => "forwards everything",
        Stage::Input => "accepts everything",
        Stage::Output => "sends everything",
        Stage::Ingress | Stage::Prerouting | Stage::EarlyOutput | Stage::LateOutput | Stage::Egress
            if none_at_all =>
        {
            return None;
        }
        Stage::Ingress | Stage::Prerouting | Stage::EarlyOutput | Stage::LateOutput | Stage::Egress => {
            "lets everything pass"
        }
    };
    let span = match place {
        Place::Node(id) => Some(network.node(id).span),
        Place::Segment(_) => None,
    };
    Some(Told { span, ..plain(stage_word(stage), format!("{why}: {what}")) })
}

fn tell_source(network: &Network, check: &SourceCheck, incoming: InterfaceId) -> Option<Told> {
    let span = Some(network.interface(incoming).span);
    let back = check.back.as_ref().map(|found| way_back(network, found)).unwrap_or_default();
    let text = match check.kind {
        Antispoof::Off => return None,
        Antispoof::Undeclared(_) if check.doubt.is_some() => {
            "anti-spoofing is not declared, so the source may pass".to_owned()
        }
        Antispoof::Undeclared(_) => format!("passes even if sources are checked{back}"),
        Antispoof::Strict | Antispoof::Loose => format!("anti-spoofing passes{back}"),
    };
    Some(Told { span, ..plain("source", text) })
}

fn way_back(network: &Network, found: &Found) -> String {
    match &found.outcome {
        Outcome::Send(hops) => {
            let names: Vec<&str> =
                hops.iter().map(|hop| network.interface(hop.interface).name.as_str()).collect();
            format!(": route back is {}", names.join(" or "))
        }
        Outcome::Blackhole => ": the route back is a blackhole".to_owned(),
        Outcome::Unreachable => ": the source is unreachable".to_owned(),
        Outcome::NoRoute => ": there is no route back".to_owned(),
    }
}

/// The place of the route or rule that decided, and the prefix of the route.
fn route_place(network: &Network, place: Place, found: &Found) -> (Option<Span>, Option<String>) {
    let Place::Node(node) = place else { return (None, None) };
    let node = network.node(node);
    if let Some((table, route)) = found.route {
        let route = &node.tables[table].routes[route];
        return (Some(route.span), Some(route.prefix.trunc().to_string()));
    }
    (found.rule.and_then(|rule| node.lookup[rule].span), None)
}

fn tell_route(network: &Network, place: Place, found: &Found, hop: Option<NextHop>) -> Told {
    let (span, prefix) = route_place(network, place, found);
    let what = prefix.unwrap_or_else(|| "it".to_owned());
    let verb = if found.uncertain.is_empty() { "routes" } else { "may route" };
    let Some(hop) = hop else { return Told { span, ..plain("route", format!("{verb} {what}")) } };
    let name = &network.interface(hop.interface).name;
    let mut text = match hop.via {
        Some(via) => format!("{verb} {what} via {via}"),
        None => format!("{verb} {what} directly on {name}"),
    };
    if let Outcome::Send(hops) = &found.outcome
        && hops.len() > 1
    {
        text.push_str(&format!(" (one of {} equal next hops)", hops.len()));
    }
    Told { span, ..plain("route", text) }
}

fn tell_put(network: &Network, receivers: &[InterfaceId], reason: Reason) -> String {
    let list = interface_list(network, receivers);
    match reason {
        Reason::Chosen => format!("sent to {list}"),
        Reason::Group => format!("a group address: heard by {list}"),
        Reason::Forged => format!("the adversary on the segment can draw it to {list}"),
        Reason::Neighbour(address) => format!("{address} is {list}"),
        Reason::Internet(address) => format!("nobody described has {address}: {list} takes it"),
        Reason::Nobody(address) => format!("nobody has {address}"),
        Reason::Joined(_) => format!("heard by {list}"),
        Reason::Announced => format!("may be sent to {list}"),
        Reason::SourceRouted => format!("its own list of stations may name {list}"),
    }
}

/// Names of interfaces; of many only the first few.
fn interface_list(network: &Network, all: &[InterfaceId]) -> String {
    const SHOWN: usize = 3;
    let name = |id: &InterfaceId| {
        let node = network.node(network.interface(*id).node);
        match node.existence {
            Existence::Described => network.interface_name(*id),
            // Somebody who may be there is a phrase, not a name.
            Existence::Possible(_) => node.name.clone(),
        }
    };
    let mut names: Vec<String> = all.iter().take(SHOWN).map(name).collect();
    if all.len() > SHOWN {
        names.push(format!("{} more", all.len() - SHOWN));
    }
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// The end of a way in words, given the last place on it; `None` where the last decision already says it.
pub fn tell_end(network: &Network, place: Option<Place>, end: &End) -> Option<Told> {
    let told = match end {
        End::OnSegment(_) => return None,
        End::Delivered(node) => {
            let name = &network.node(*node).name;
            plain("arrive", format!("delivered to {name}"))
        }
        End::Filtered { stage, judgement } => tell_judgement(network, *stage, judgement),
        End::Uncertain(why) => {
            Told { uncertain: why.clone(), ..plain("arrive", "nothing is certain from here on") }
        }
        End::Martian => plain("ingress", "no device takes such an address from outside"),
        End::Spoofed(check) => {
            let back = check.back.as_ref().map(|found| way_back(network, found)).unwrap_or_default();
            plain("source", format!("anti-spoofing drops it{back}"))
        }
        End::NotForwarding => plain("forward", "does not forward"),
        End::LinkLocal => plain("forward", "a link-local address does not leave its link"),
        End::Group => plain("input", "whether anybody listens to the group is not certain"),
        End::Fragment => plain("ingress", "whether the rest of the datagram comes is not certain"),
        End::NoRoute => plain("route", "there is no route"),
        End::Unreachable(found) => tell_stop(network, place, found, "says unreachable"),
        End::Blackhole(found) => tell_stop(network, place, found, "drops it"),
        End::Ipv6Off(id) => at_interface(network, *id, "does not speak IPv6"),
        End::NoSegment(id) => at_interface(network, *id, "has no link"),
        End::DoorClosed(id) => at_interface(network, *id, "is taken to be closed"),
        End::Absent(_) => plain("arrive", "it is not certain that this node is there"),
        End::UnknownKind(node) => {
            let text = "how a node of this kind works is not known";
            Told { span: Some(network.node(*node).span), ..plain("arrive", text) }
        }
        End::Taken(_) => plain("arrive", "the adversary has it"),
        End::NoReceiver(_) => plain("arrive", "goes no further"),
        End::AnyDestination(segment) => {
            let name = &network.segment(*segment).name;
            plain("arrive", format!("goes on along {name} to any destination"))
        }
        End::Loop => plain("arrive", "has been here before: it goes round in a loop"),
        End::Limit => plain("arrive", "followed no further"),
        End::Elsewhere => plain("arrive", "does not go the named way"),
        End::NotSent => plain("send", "the named sender cannot send this"),
    };
    Some(told)
}

fn tell_stop(network: &Network, place: Option<Place>, found: &Found, what: &str) -> Told {
    let (span, prefix) = place.map_or((None, None), |place| route_place(network, place, found));
    let subject =
        prefix.map_or_else(|| "the routing rule".to_owned(), |prefix| format!("the route {prefix}"));
    Told { span, uncertain: found.uncertain.clone(), ..plain("route", format!("{subject} {what}")) }
}

fn at_interface(network: &Network, id: InterfaceId, text: &str) -> Told {
    let interface = network.interface(id);
    Told { span: Some(interface.span), ..plain("egress", format!("{} {text}", interface.name)) }
}
