//! The node store: flat arenas and the unique table that makes diagrams canonical.
//!
//! A node is a level and a sorted list of edges that partitions `0..=max` of the level. An edge is its last
//! value (inclusive) and the node below. Neighbouring edges differ, and a node of one edge does not exist:
//! so two equal functions are always the same node.
//!
//! What this waits for is memory, so everything is small and one look-up touches few places: an edge is 8
//! bytes, the edges of all nodes lie behind each other in one array, and a node is 8 bytes that say where
//! its own are.

use super::level::Level;

/// Number of terminals. A terminal is a mask of four bits; a [`super::Set`] uses only 0 (empty) and 1
/// (full), a packed first-match list all of them (see [`super::list`]). Node numbers start behind the
/// terminals.
pub(super) const TERMINALS: u32 = 16;

/// An edge: its last value in the lowest 16 bits, above it the node below. As one number it is compared,
/// hashed and copied at once; a form of 6 bytes was measured a tenth slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge(u64);

impl Edge {
    #[inline]
    pub(super) fn new(end: u16, child: u32) -> Edge {
        Edge(u64::from(end) | u64::from(child) << 16)
    }

    /// The last value of the edge, inclusive.
    #[inline]
    pub(super) fn end(self) -> u16 {
        self.0 as u16
    }

    /// The number of the node below.
    #[inline]
    pub(super) fn child(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// Where the edges of a node lie: `start..=start + more`.
#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    more: u16,
    level: Level,
}

/// Nodes with consecutive numbers, and where to find each by content.
#[derive(Debug, Clone)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// Open addressing: 0 is free, else the hash in the high half and the node index plus one in the low
    /// half, so that a look-up that finds nothing touches nothing else. The length is a power of two.
    slots: Vec<u64>,
}

const SMALLEST_TABLE: usize = 256;

impl Arena {
    pub(super) fn new() -> Arena {
        Arena { nodes: Vec::new(), edges: Vec::new(), slots: vec![0; SMALLEST_TABLE] }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// Bytes held, capacity included.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Node>() * self.nodes.capacity()
            + size_of::<Edge>() * self.edges.capacity()
            + size_of::<u64>() * self.slots.capacity()
    }

    #[inline]
    pub(super) fn level(&self, index: usize) -> Level {
        self.nodes[index].level
    }

    /// Level and edges of a node.
    #[inline]
    pub(super) fn node(&self, index: usize) -> (Level, &[Edge]) {
        let node = self.nodes[index];
        (node.level, self.edges_of(node))
    }

    #[inline]
    fn edges_of(&self, node: Node) -> &[Edge] {
        let start = node.start as usize;
        &self.edges[start..=start + usize::from(node.more)]
    }

    /// The index of the node with this content, if it is here.
    pub(super) fn find(&self, hash: u32, level: Level, edges: &[Edge]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let found = self.slots[slot];
            if found == 0 {
                return None;
            }
            if (found >> 32) as u32 == hash {
                let index = (found as u32 - 1) as usize;
                if self.node(index) == (level, edges) {
                    return Some(index);
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds a node that [`Arena::find`] did not find and returns its index. The caller makes sure that
    /// there is an edge, that there are at most 2^16 and that all edges together stay below 2^32.
    pub(super) fn add(&mut self, hash: u32, level: Level, edges: &[Edge]) -> usize {
        let index = self.len();
        let more = edges.len().saturating_sub(1) as u16;
        self.nodes.push(Node { start: self.edges.len() as u32, more, level });
        self.edges.extend_from_slice(edges);
        // At most half of the table is used, so that probes stay short.
        if 2 * self.len() > self.slots.len() {
            self.enlarge(2 * self.slots.len());
        }
        self.place(u64::from(hash) << 32 | (index as u64 + 1));
        index
    }

    /// Appends the nodes of an arena whose numbers continue those of this one.
    pub(super) fn append(&mut self, other: &Arena) {
        let (first, offset) = (self.len() as u64, self.edges.len() as u32);
        self.nodes.extend(other.nodes.iter().map(|node| Node { start: node.start + offset, ..*node }));
        self.edges.extend_from_slice(&other.edges);
        self.enlarge((2 * self.len()).next_power_of_two().max(self.slots.len()));
        other.slots.iter().filter(|slot| **slot != 0).for_each(|slot| self.place(slot + first));
    }

    fn enlarge(&mut self, size: usize) {
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        old.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.place(slot));
    }

    fn place(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut position = (slot >> 32) as usize & mask;
        while self.slots[position] != 0 {
            position = (position + 1) & mask;
        }
        self.slots[position] = slot;
    }
}

/// The hash of a node's content, and the largest number among the nodes below.
#[inline]
pub(super) fn digest(level: Level, edges: &[Edge]) -> (u32, u32) {
    // The multiplier is that of SplitMix64's increment (odd, no pattern); the high half is the well-mixed
    // one.
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(level);
    let mut largest = 0;
    for edge in edges {
        hash = (hash.rotate_left(23) ^ edge.0).wrapping_mul(MULTIPLIER);
        largest = largest.max(edge.child());
    }
    ((hash >> 32) as u32, largest)
}
