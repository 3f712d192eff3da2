//! The network as a graph of places: what could be connected at all, with all filters open and any routing.

use super::query::Place;
use crate::model::{Network, NodeId, Role, SegmentId};
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::{Bfs, NodeFiltered};

/// Nodes and segments, joined by interfaces.
pub struct Structure {
    graph: UnGraph<Place, ()>,
    nodes: usize,
    passes: Vec<bool>,
}

impl Structure {
    /// The graph of a network.
    pub fn new(network: &Network) -> Structure {
        let mut graph =
            UnGraph::with_capacity(network.nodes.len() + network.segments.len(), network.interfaces.len());
        for index in 0..network.nodes.len() {
            graph.add_node(Place::Node(NodeId::at(index)));
        }
        for index in 0..network.segments.len() {
            graph.add_node(Place::Segment(SegmentId::at(index)));
        }
        let segment_at = |id: SegmentId| NodeIndex::new(network.nodes.len() + id.index());
        for interface in &network.interfaces {
            if let Some(segment) = interface.segment {
                graph.add_edge(NodeIndex::new(interface.node.index()), segment_at(segment), ());
            }
        }
        for (id, segment) in network.segments_by_id() {
            for join in &segment.joins {
                graph.add_edge(segment_at(id), segment_at(join.to), ());
            }
        }
        // Whether a node forwards is as much a lock as a filter: only a missing link leaves nothing to hold.
        let passes =
            network.nodes.iter().map(|node| node.role == Role::Internet || node.interfaces.len() > 1);
        Structure { graph, nodes: network.nodes.len(), passes: passes.collect() }
    }

    /// Every place that a place is connected to through nodes that may forward, itself included; the nearest first.
    fn connected(&self, from: Place) -> impl Iterator<Item = Place> + '_ {
        let start = match from {
            Place::Node(id) => NodeIndex::new(id.index()),
            Place::Segment(id) => NodeIndex::new(self.nodes + id.index()),
        };
        let open = NodeFiltered::from_fn(&self.graph, move |index: NodeIndex| {
            index == start || self.passes.get(index.index()).copied().unwrap_or(true)
        });
        let mut walk = Bfs::new(&open, start);
        std::iter::from_fn(move || walk.next(&open).map(|index| self.graph[index]))
    }

    /// Whether a sender could leave its own segment at all.
    pub fn can_leave(&self, from: Place) -> bool {
        let own = match from {
            Place::Segment(_) => 1,
            Place::Node(id) => {
                let neighbours = self.graph.neighbors(NodeIndex::new(id.index())).count();
                // A sender on several segments is already on the way out.
                if neighbours > 1 { 0 } else { neighbours }
            }
        };
        let segments = self.connected(from).filter(|place| matches!(place, Place::Segment(_)));
        segments.take(own + 1).count() > own
    }
}
