//! From a claim to the question that the engine is asked. Each arm states its theorem (SEMANTICS.md section 6).

use crate::claim::select::{Selection, select};
use crate::claim::selector::{Expr, Selector};
use crate::claim::{Confined, Direction, Door, Except, Isolated, OnlyVia};
use crate::engine::{Compiled, Cut, FreeFlow, Place, Places, Query, RuleRef, translated_ends};
use crate::header::AddressRange;
use crate::model::{Assumption, Network, NodeId, Reading, Role, SegmentId};

/// A question about absence, for both readings.
#[derive(Debug, Clone)]
pub(super) struct Absence<'a> {
    /// Where the adversary stands.
    pub(super) from: &'a Selector,
    /// Where nothing may arrive.
    pub(super) to: Object<'a>,
    /// What is free.
    pub(super) except: &'a [Except],
    /// Who is trusted.
    pub(super) trusts: Option<&'a Selector>,
    /// What is taken out of the network.
    pub(super) cut: Cut,
    /// Whether honest senders talk to each other, instead of an adversary to anybody.
    pub(super) honest: bool,
}

/// The far side of a claim.
#[derive(Debug, Clone, Copy)]
pub(super) enum Object<'a> {
    /// These places.
    Selected(&'a Selector),
    /// Every place but these.
    Outside(&'a Selector),
}

impl Object<'_> {
    /// The places in a reading.
    pub(super) fn places(self, network: &Network, reading: Reading) -> Places {
        match self {
            Object::Selected(selector) => places(network, &selector.expr, reading),
            Object::Outside(selector) => {
                let not = Expr::Not(Box::new(selector.expr.clone()));
                places(network, &not, reading)
            }
        }
    }

    /// In words.
    pub(super) fn words(self) -> String {
        match self {
            Object::Selected(selector) => selector.text.clone(),
            Object::Outside(selector) => format!("not ({})", selector.text),
        }
    }
}

/// `isolated`: violated iff Must(from⁻) at to⁻, less `except`, is not empty.
pub(super) fn isolated(claim: &Isolated) -> Vec<Absence<'_>> {
    let one = |from, to| Absence {
        from,
        to: Object::Selected(to),
        except: &claim.except,
        trusts: claim.trusts.as_ref(),
        cut: Cut::default(),
        honest: false,
    };
    match claim.direction {
        Direction::Out => vec![one(&claim.from, &claim.to)],
        Direction::In => vec![one(&claim.to, &claim.from)],
        Direction::Both => vec![one(&claim.from, &claim.to), one(&claim.to, &claim.from)],
    }
}

/// `confined`: violated iff something that honest senders within⁻ send to an address owned by within⁻ is, on *must*,
/// at a place not within.
pub(super) fn confined(claim: &Confined) -> Absence<'_> {
    Absence {
        from: &claim.within,
        to: Object::Outside(&claim.within),
        except: &claim.except,
        trusts: claim.trusts.as_ref(),
        cut: Cut::default(),
        honest: true,
    }
}

/// `only-via`: violated iff Must in the network without the doors, connections kept, is not empty at to⁻.
pub(super) fn only_via(claim: &OnlyVia) -> Absence<'_> {
    let mut cut = Cut::default();
    for door in &claim.via {
        match door.value {
            Door::Interface(id) => cut.interfaces.push(id),
            Door::Rule { filter, chain, rule } => cut.rules.push(RuleRef { filter, chain, rule }),
        }
    }
    Absence {
        from: &claim.from,
        to: Object::Selected(&claim.to),
        except: &claim.except,
        trusts: claim.trusts.as_ref(),
        cut,
        honest: false,
    }
}

impl<'a> Absence<'a> {
    /// The query of a reading. *May* takes everything that may be a sender or a target, and frees only what is
    /// certainly excepted; *must* the other way round.
    pub(super) fn query(&self, compiled: &Compiled<'_>, network: &Network, reading: Reading) -> Query {
        let from = places(network, &self.from.expr, reading);
        let targets = self.to.places(network, reading);
        let other = opposite(reading);
        let standing = self.footholds(network, &from, reading);
        let mut forged = standing.segments.clone();
        for (id, _) in network.nodes_by_id().filter(|(id, _)| standing.nodes[id.index()]) {
            for interface in &network.node(id).interfaces {
                if let Some(segment) = network.interface(*interface).segment {
                    forged[segment.index()] = true;
                }
            }
        }
        let none = Places::none(network.nodes.len(), network.segments.len());
        let destinations = if self.honest { addresses(network, &from) } else { Vec::new() };
        let honest = if self.honest { senders(network, &from) } else { Vec::new() };
        let honest_segments = if self.honest { undescribed(network, &from) } else { Vec::new() };
        Query {
            reading,
            footholds: if self.honest {
                none.clone()
            } else {
                standing.or(&self.far_ends(compiled, network, &from, &targets, reading))
            },
            honest,
            honest_segments,
            talkers: Vec::new(),
            accomplices: if self.honest { from.or(&targets) } else { targets.clone() },
            forged,
            destinations,
            services: Vec::new(),
            own_sources: false,
            targets,
            free: self.except.iter().map(|except| free(network, except, other)).collect(),
            cut: self.cut.clone(),
        }
    }

    /// Where the adversary stands: every segment, and every node that is not trusted (SEMANTICS.md section 2.1).
    fn footholds(&self, network: &Network, from: &Places, reading: Reading) -> Places {
        let mut standing = from.clone();
        let trusted = self.trusted(network, reading);
        for (index, stands) in standing.nodes.iter_mut().enumerate() {
            *stands &= !trusted[index];
        }
        standing
    }

    /// Nodes that are not the adversary's; on *may* only those that certainly are trusted.
    pub(super) fn trusted(&self, network: &Network, reading: Reading) -> Vec<bool> {
        match self.trusts {
            Some(selector) => places(network, &selector.expr, opposite(reading)).nodes,
            None if is_complement(&self.from.expr) => vec![false; network.nodes.len()],
            None => network.nodes.iter().map(|node| node.role.is_trusted_by_default()).collect(),
        }
    }

    /// An excepted channel carries anything, so its far end counts as reached if it is in neither `from` nor `to`: a node, or a
    /// segment where somebody whom nobody described may be that end. A channel with replies has two, and where addresses are
    /// translated it ends at whoever its packets are translated to go to.
    fn far_ends(
        &self,
        compiled: &Compiled<'_>,
        network: &Network,
        from: &Places,
        targets: &Places,
        reading: Reading,
    ) -> Places {
        let mut ends = Places::none(network.nodes.len(), network.segments.len());
        if reading == Reading::May {
            for except in self.except {
                ends = ends.or(&ends_of(network, except));
                if network.translates() {
                    ends = ends.or(&translated_ends(compiled, &free(network, except, Reading::May)));
                }
            }
            ends.nodes.iter_mut().enumerate().for_each(|(index, is_end)| {
                *is_end &= !from.nodes[index] && !targets.nodes[index];
            });
            ends.segments.iter_mut().enumerate().for_each(|(index, is_end)| {
                *is_end &= !from.segments[index] && !targets.segments[index];
            });
        }
        ends
    }

    /// The excepted channel of which a place is the far end, unless the adversary stands there anyway.
    pub(super) fn channel(&self, network: &Network, place: Place, reading: Reading) -> Option<&'a Except> {
        let from = places(network, &self.from.expr, reading);
        if self.footholds(network, &from, reading).contains(place) {
            return None;
        }
        let named = self.except.iter().find(|except| ends_of(network, except).contains(place));
        // A channel that is translated ends elsewhere than it says; of one it is plain which.
        named.or(match self.except {
            [only] if network.translates() => Some(only),
            _ => None,
        })
    }
}

/// The places that may be an end of an excepted channel at which somebody may pass on what it carries: nodes, and segments
/// with hosts that nobody described.
fn ends_of(network: &Network, except: &Except) -> Places {
    let mut ends = Places::none(network.nodes.len(), network.segments.len());
    let back = except.replies.then_some(&except.from);
    for end in std::iter::once(&except.to).chain(back) {
        let end = places(network, &end.expr, Reading::May);
        for id in undescribed(network, &end) {
            ends.segments[id.index()] = true;
        }
        let nodes = Places { nodes: end.nodes, segments: vec![false; network.segments.len()] };
        ends = ends.or(&nodes);
    }
    ends
}

/// The other reading.
pub(super) fn opposite(reading: Reading) -> Reading {
    match reading {
        Reading::May => Reading::Must,
        Reading::Must => Reading::May,
    }
}

/// Whether a selector is the complement of a jurisdiction or a site.
fn is_complement(expr: &Expr) -> bool {
    match expr {
        Expr::Not(inner) => matches!(**inner, Expr::Jurisdiction(_) | Expr::Site(_)),
        _ => false,
    }
}

/// What a selector selects in a reading.
pub(super) fn places(network: &Network, expr: &Expr, reading: Reading) -> Places {
    let Selection { nodes, segments } = select(network, expr, reading);
    Places { nodes, segments }
}

/// Nodes that send with their own addresses: those that have one.
pub(super) fn senders(network: &Network, places: &Places) -> Vec<NodeId> {
    let described = network.nodes_by_id().filter(|(id, node)| {
        places.nodes[id.index()]
            && node.role != Role::Internet
            && node.interfaces.iter().any(|i| !network.interface(*i).addresses.is_empty())
    });
    described.map(|(id, _)| id).collect()
}

/// Segments on which hosts that nobody described may send with their own addresses.
fn undescribed(network: &Network, places: &Places) -> Vec<SegmentId> {
    if network.assumes(Assumption::StaticNeighbours) {
        return Vec::new();
    }
    network.segments_by_id().map(|(id, _)| id).filter(|id| places.segments[id.index()]).collect()
}

/// Every address that places own: those of nodes, and the prefixes of segments.
pub(super) fn addresses(network: &Network, places: &Places) -> Vec<AddressRange> {
    let mut ranges = Vec::new();
    for place in places.iter() {
        match place {
            Place::Node(id) if network.node(id).role == Role::Internet => {
                ranges.extend(network.undescribed_addresses())
            }
            Place::Node(id) => ranges.extend(network.own_addresses(id).map(AddressRange::single)),
            Place::Segment(id) => {
                for interface in &network.segment(id).attached {
                    let prefixes = network.interface(*interface).addresses.iter().map(|a| a.net.trunc());
                    ranges.extend(prefixes.map(AddressRange::prefix));
                }
            }
        }
    }
    ranges.sort_unstable();
    ranges.dedup();
    ranges
}

fn free(network: &Network, except: &Except, reading: Reading) -> FreeFlow {
    FreeFlow {
        src: addresses(network, &places(network, &except.from.expr, reading)),
        dst: addresses(network, &places(network, &except.to.expr, reading)),
        services: except.services.clone(),
        replies: except.replies,
    }
}
