//! Two interpreters side by side: the naive one, and any other.

use super::random::Case;
use super::universe::universe;
use isoaudit::header::Packet;
use isoaudit::model::{Marked, Match, Network, NodeId, Reading, SegmentId, Test};
use isoaudit::replay::{Place, Question, Reached, explore};

/// A case whose universe is larger than this is left out: it takes long and shows nothing that smaller ones do not.
pub(crate) const MAX_UNIVERSE: usize = 1_500;

/// What another interpreter says about membership: given a network, a reading, a question and a universe, the packets of
/// the universe that arrive at each place, and those that open a connection at each node.
pub(crate) trait Interpreter {
    fn reached(
        &self,
        network: &Network,
        reading: Reading,
        question: &Question,
        universe: &[Packet],
    ) -> Reached;
}

impl<F> Interpreter for F
where
    F: Fn(&Network, Reading, &Question, &[Packet]) -> Reached,
{
    fn reached(
        &self,
        network: &Network,
        reading: Reading,
        question: &Question,
        universe: &[Packet],
    ) -> Reached {
        self(network, reading, question, universe)
    }
}

/// The naive interpreter itself.
pub(crate) fn naive(
    network: &Network,
    reading: Reading,
    question: &Question,
    universe: &[Packet],
) -> Reached {
    explore(network, reading, question, universe)
}

/// One packet about which two interpreters differ.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) reading: Reading,
    /// "put on s1", "delivered to n0" or "opened at n0".
    pub(crate) what: String,
    pub(crate) packet: Packet,
    /// Whether the naive interpreter says so; the other says the opposite.
    pub(crate) naive_says: bool,
}

/// What an interpreter says in both readings, *must* first.
pub(crate) fn both(case: &Case, packets: &[Packet], interpreter: &impl Interpreter) -> [Reached; 2] {
    READINGS.map(|reading| interpreter.reached(&case.network, reading, &case.question, packets))
}

const READINGS: [Reading; 2] = [Reading::Must, Reading::May];

/// Everything about which the naive interpreter and another differ in a case; the first of each place.
pub(crate) fn differences(case: &Case, other: &impl Interpreter) -> Vec<Difference> {
    let packets = universe(&case.network, &case.question);
    between(&case.network, &packets, &both(case, &packets, &naive), &both(case, &packets, other))
}

/// Everything about which two results differ.
pub(crate) fn between(
    network: &Network,
    packets: &[Packet],
    ours: &[Reached; 2],
    theirs: &[Reached; 2],
) -> Vec<Difference> {
    let mut found = Vec::new();
    for ((reading, ours), theirs) in READINGS.into_iter().zip(ours).zip(theirs) {
        let mut compare = |what: String, holds: &dyn Fn(&Reached, &Packet) -> bool| {
            let differs = |packet: &&Packet| holds(ours, packet) != holds(theirs, packet);
            if let Some(packet) = packets.iter().find(differs) {
                found.push(Difference { reading, what, packet: *packet, naive_says: holds(ours, packet) });
            }
        };
        for place in places(network) {
            compare(arrival(network, place), &|reached, packet| reached.holds(place, packet));
        }
        for (id, node) in network.nodes_by_id().filter(|(id, _)| asks_state(network, *id)) {
            compare(format!("opened at {}", node.name), &|reached, packet| {
                reached.opened.get(&id).is_some_and(|packets| packets.contains(packet))
            });
        }
    }
    found
}

/// Whether a node asks for the state of a connection. The table of one that does not is never looked at, so nobody need
/// keep it.
fn asks_state(network: &Network, node: NodeId) -> bool {
    let filters = network.hooks(node).into_iter().map(|hook| network.filter(hook.filter));
    let rules = filters.flat_map(|filter| &filter.chains).flat_map(|chain| &chain.rules);
    rules.flat_map(|rule| &rule.matches).any(is_about_state)
        || network.uses_connection_marks(node)
        || !network.node(node).translating.is_empty()
}

fn is_about_state(one: &Match) -> bool {
    match &one.test {
        Test::State(_) | Test::Mark { of: Marked::Connection, .. } => true,
        Test::Any(inner) => inner.iter().any(is_about_state),
        _ => false,
    }
}

/// Every place of a network.
pub(crate) fn places(network: &Network) -> Vec<Place> {
    let segments = (0..network.segments.len()).map(|index| Place::Segment(SegmentId::at(index)));
    let nodes = (0..network.nodes.len()).map(|index| Place::Node(NodeId::at(index)));
    segments.chain(nodes).collect()
}

fn arrival(network: &Network, place: Place) -> String {
    match place {
        Place::Segment(id) => format!("put on {}", network.segment(id).name),
        Place::Node(id) => format!("delivered to {}", network.node(id).name),
    }
}

/// Takes things out of a case as long as it stays interesting, so that what is left is small enough to read.
pub(crate) fn shrink(mut case: Case, is_interesting: impl Fn(&Case) -> bool) -> Case {
    loop {
        let smaller = cuts(&case).into_iter().find(|smaller| is_interesting(smaller));
        match smaller {
            Some(smaller) => case = smaller,
            None => return case,
        }
    }
}

/// Every case with one thing less. Numbers stay what they are, so only what nothing refers to is taken out.
fn cuts(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut cut = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        all.push(smaller);
    };
    for index in 0..case.question.footholds.len() {
        cut(&|c| {
            c.question.footholds.remove(index);
        });
    }
    for index in 0..case.question.openers.len() {
        cut(&|c| {
            c.question.openers.remove(index);
        });
    }
    if !case.question.cut.is_empty() {
        cut(&|c| c.question.cut.clear());
    }
    if !case.question.destinations.is_empty() || !case.question.services.is_empty() {
        cut(&|c| c.question.destinations.clear());
        cut(&|c| c.question.services.clear());
    }
    for (node, old) in case.network.nodes.iter().enumerate() {
        if !old.input.is_empty() {
            cut(&|c| c.network.nodes[node].input.clear());
        }
        if !old.forward.is_empty() {
            cut(&|c| c.network.nodes[node].forward.clear());
        }
        if old.own_lists().next().is_some() {
            cut(&|c| c.network.nodes[node].early_output.clear());
            cut(&|c| c.network.nodes[node].output.clear());
            cut(&|c| c.network.nodes[node].late_output.clear());
        }
        if !old.translating.is_empty() {
            cut(&|c| c.network.nodes[node].translating.prerouting.clear());
            cut(&|c| c.network.nodes[node].translating.postrouting.clear());
            cut(&|c| c.network.nodes[node].translating.input.clear());
            cut(&|c| c.network.nodes[node].translating.output.clear());
        }
        for rule in 0..old.lookup.len() {
            cut(&|c| {
                c.network.nodes[node].lookup.remove(rule);
            });
        }
        for (table, routes) in old.tables.iter().enumerate() {
            for route in 0..routes.routes.len() {
                cut(&|c| {
                    c.network.nodes[node].tables[table].routes.remove(route);
                });
            }
        }
    }
    cut_links(case, &mut cut);
    cut_rules(case, &mut cut);
    all
}

fn cut_links(case: &Case, cut: &mut impl FnMut(&dyn Fn(&mut Case))) {
    for (index, old) in case.network.interfaces.iter().enumerate() {
        if !old.ingress.is_empty() {
            cut(&|c| c.network.interfaces[index].ingress.clear());
        }
        if !old.egress.is_empty() {
            cut(&|c| c.network.interfaces[index].egress.clear());
        }
        for address in 0..old.addresses.len() {
            cut(&|c| {
                c.network.interfaces[index].addresses.remove(address);
            });
        }
        if let Some(segment) = old.segment {
            cut(&|c| {
                c.network.interfaces[index].segment = None;
                let id = isoaudit::model::InterfaceId::at(index);
                c.network.segments[segment.index()].attached.retain(|other| *other != id);
            });
        }
    }
    for (index, old) in case.network.segments.iter().enumerate() {
        if !old.joins.is_empty() {
            cut(&|c| c.network.segments[index].joins.clear());
        }
    }
}

fn cut_rules(case: &Case, cut: &mut impl FnMut(&dyn Fn(&mut Case))) {
    let has_door = !case.question.cut.is_empty();
    for (filter, old) in case.network.filters.iter().enumerate() {
        for (chain, rules) in old.chains.iter().enumerate() {
            if rules.policy.is_some() {
                cut(&|c| c.network.filters[filter].chains[chain].policy = None);
            }
            for (rule, one) in rules.rules.iter().enumerate() {
                // A door names a rule by its number.
                if !has_door {
                    cut(&|c| {
                        c.network.filters[filter].chains[chain].rules.remove(rule);
                    });
                }
                for index in 0..one.matches.len() {
                    cut(&|c| {
                        c.network.filters[filter].chains[chain].rules[rule].matches.remove(index);
                    });
                }
            }
        }
    }
}
