//! The node store: flat arenas and the unique table that makes diagrams canonical.
//!
//! A node is a level and a sorted list of edges that partitions `0..=max` of the level. An edge is its last
//! value (inclusive) and the node below. Neighbouring edges differ, and a node of one edge does not exist:
//! so two equal functions are always the same node.
//!
//! Edges of all nodes lie behind each other in two arrays (6 bytes each). Nodes are four more arrays.

use super::level::Level;

/// Number of terminals. A terminal is a mask of four bits; a [`super::Set`] uses only 0 (empty) and 1
/// (full), a packed first-match list all of them (see [`super::list`]). Node numbers start behind the
/// terminals.
pub(super) const TERMINALS: u32 = 16;

/// An edge under construction, or a pair of nodes whose result is not known yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The result, or the first operand.
    pub a: u32,
    /// [`RESOLVED`], or the second operand.
    pub b: u32,
    /// The last value of the edge, inclusive.
    pub end: u16,
}

/// Marks an [`Entry`] whose result is known.
pub(super) const RESOLVED: u32 = u32::MAX;

/// Nodes with consecutive numbers, and where to find each by content.
#[derive(Debug, Clone)]
pub(super) struct Arena {
    levels: Vec<Level>,
    /// Where the edges of node `i` start; one more entry than there are nodes.
    starts: Vec<u32>,
    hashes: Vec<u32>,
    ends: Vec<u16>,
    children: Vec<u32>,
    /// Open addressing: 0 is free, else node index plus one. The length is a power of two.
    slots: Vec<u32>,
}

const SMALLEST_TABLE: usize = 256;

impl Arena {
    pub(super) fn new() -> Arena {
        Arena {
            levels: Vec::new(),
            starts: vec![0],
            hashes: Vec::new(),
            ends: Vec::new(),
            children: Vec::new(),
            slots: vec![0; SMALLEST_TABLE],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn edge_count(&self) -> usize {
        self.ends.len()
    }

    /// Bytes held, capacity included.
    pub(super) fn bytes(&self) -> usize {
        self.levels.capacity()
            + 4 * (self.starts.capacity() + self.hashes.capacity())
            + 2 * self.ends.capacity()
            + 4 * (self.children.capacity() + self.slots.capacity())
    }

    #[inline]
    pub(super) fn level(&self, index: usize) -> Level {
        self.levels[index]
    }

    /// The edges of a node: last values and nodes below, of equal length.
    #[inline]
    pub(super) fn edges(&self, index: usize) -> (&[u16], &[u32]) {
        let range = self.starts[index] as usize..self.starts[index + 1] as usize;
        (&self.ends[range.clone()], &self.children[range])
    }

    /// The index of the node with this content, if it is here.
    pub(super) fn find(&self, hash: u32, level: Level, edges: &[Entry]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let found = self.slots[slot];
            if found == 0 {
                return None;
            }
            let index = found as usize - 1;
            if self.hashes[index] == hash && self.levels[index] == level && self.same(index, edges) {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn same(&self, index: usize, edges: &[Entry]) -> bool {
        let (ends, children) = self.edges(index);
        ends.len() == edges.len()
            && edges
                .iter()
                .zip(ends.iter().zip(children))
                .all(|(e, (end, child))| e.end == *end && e.a == *child)
    }

    /// Adds a node that [`Arena::find`] did not find and returns its index. The caller makes sure that the
    /// number of edges stays below 2^32.
    pub(super) fn add(&mut self, hash: u32, level: Level, edges: &[Entry]) -> usize {
        let index = self.len();
        self.levels.push(level);
        self.hashes.push(hash);
        self.ends.extend(edges.iter().map(|e| e.end));
        self.children.extend(edges.iter().map(|e| e.a));
        self.starts.push(self.ends.len() as u32);
        // At most half of the table is used, so that probes stay short.
        if 2 * self.len() > self.slots.len() {
            self.rebuild_slots(2 * self.slots.len());
        } else {
            self.place(index);
        }
        index
    }

    /// Appends the nodes of an arena whose numbers continue those of this one.
    pub(super) fn append(&mut self, other: &Arena) {
        let offset = self.ends.len() as u32;
        self.levels.extend_from_slice(&other.levels);
        self.hashes.extend_from_slice(&other.hashes);
        self.ends.extend_from_slice(&other.ends);
        self.children.extend_from_slice(&other.children);
        self.starts.extend(other.starts.iter().skip(1).map(|start| start + offset));
        let wanted = (2 * self.len()).next_power_of_two().max(SMALLEST_TABLE);
        self.rebuild_slots(wanted);
    }

    fn rebuild_slots(&mut self, size: usize) {
        self.slots.clear();
        self.slots.resize(size, 0);
        for index in 0..self.len() {
            self.place(index);
        }
    }

    fn place(&mut self, index: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = self.hashes[index] as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = index as u32 + 1;
    }
}

/// The hash of a node's content, and the largest number among the nodes below.
pub(super) fn digest(level: Level, edges: &[Entry]) -> (u32, u32) {
    // The multiplier is that of SplitMix64's increment (odd, no pattern); the high half is the well-mixed
    // one.
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(level);
    let mut largest = 0;
    for edge in edges {
        let content = u64::from(edge.a) << 16 | u64::from(edge.end);
        hash = (hash.rotate_left(23) ^ content).wrapping_mul(MULTIPLIER);
        largest = largest.max(edge.a);
    }
    ((hash >> 32) as u32, largest)
}
