//! [`Space`]: the owner of nodes, and [`Frozen`]: nodes that no longer change and are shared between
//! threads.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Set;
use super::level::{BOTTOM, Level, max};
use super::memo::Memo;
use super::node::{Arena, Edge, TERMINALS, digest};
use super::ops::Pair;

/// The most nodes that a space may have; node numbers stay below 2^28.
const MOST_NODES: usize = (1 << 28) - TERMINALS as usize;
/// The most edges of one arena, so that their offsets fit 32 bits.
const MOST_EDGES: usize = u32::MAX as usize - (1 << 17);

/// Nodes that no longer change: the common base of several spaces.
#[derive(Debug)]
pub struct Frozen {
    arena: Arena,
    exhausted: bool,
}

impl Frozen {
    fn empty() -> Frozen {
        Frozen { arena: Arena::new(), exhausted: false }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether there are no nodes but the terminals.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.arena.bytes()
    }
}

/// A space has more nodes than it was allowed: every result since is meaningless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// The number of nodes that was allowed.
    pub limit: usize,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the packet sets needed more than {} nodes", self.limit)
    }
}

impl std::error::Error for Exhausted {}

/// The owner of packet sets.
///
/// A [`Set`] is a number that only means something together with the space that made it, or with a space
/// over the same [`Frozen`] base if it is older than that base.
///
/// # Limits
/// A space may have a node limit. When an operation would pass it, the space is *exhausted* for good: that
/// operation and all later ones return [`Set::EMPTY`] at once, which is **not** an answer. Whoever sets a
/// limit must ask [`Space::status`] before trusting any result, also an empty one.
#[derive(Debug)]
pub struct Space {
    base: Arc<Frozen>,
    own: Arena,
    /// The number of the first node of `own`.
    first_own: u32,
    pub(super) memo: Memo,
    /// The edges of nodes under construction: a stack, so that the recursion does not allocate.
    pub(super) scratch: Vec<Edge>,
    /// The pairs that operations have still to look at: a stack as well.
    pub(super) pairs: Vec<Pair>,
    limit: usize,
    pub(super) exhausted: bool,
    pub(super) well_formed: Option<Set>,
}

impl Default for Space {
    fn default() -> Space {
        Space::new()
    }
}

impl Space {
    /// A space without nodes and without a limit of its own.
    pub fn new() -> Space {
        Space::over(Arc::new(Frozen::empty()))
    }

    /// A space that may make at most this many nodes.
    pub fn with_limit(nodes: usize) -> Space {
        Space::new().limited(nodes)
    }

    /// A private space on top of a shared base. The sets of the base are sets of this space, with the same
    /// numbers; what is made here is seen by nobody else.
    pub fn over(base: Arc<Frozen>) -> Space {
        Space {
            first_own: TERMINALS + base.arena.len() as u32,
            exhausted: base.exhausted,
            base,
            own: Arena::new(),
            memo: Memo::new(),
            scratch: Vec::new(),
            pairs: Vec::new(),
            limit: MOST_NODES,
            well_formed: None,
        }
    }

    /// The same space, which may now make at most this many nodes beside those of its base.
    #[must_use]
    pub fn limited(mut self, nodes: usize) -> Space {
        self.limit = nodes.min(MOST_NODES);
        self
    }

    /// Ends the life of a space as a place to make sets, and makes its nodes a base for others. Sets keep
    /// their numbers. If the space itself stands over a base that others still use, that base is copied.
    pub fn freeze(self) -> Arc<Frozen> {
        if self.own.len() == 0 && self.exhausted == self.base.exhausted {
            return self.base;
        }
        if self.base.is_empty() {
            return Arc::new(Frozen { arena: self.own, exhausted: self.exhausted });
        }
        let mut arena = match Arc::try_unwrap(self.base) {
            Ok(base) => base.arena,
            Err(shared) => shared.arena.clone(),
        };
        arena.append(&self.own);
        Arc::new(Frozen { arena, exhausted: self.exhausted })
    }

    /// Whether results can be trusted: see "Limits" at [`Space`].
    ///
    /// # Errors
    /// The space needed more nodes than it was allowed.
    pub fn status(&self) -> Result<(), Exhausted> {
        if self.exhausted { Err(Exhausted { limit: self.limit }) } else { Ok(()) }
    }

    /// Number of nodes, those of the base included.
    pub fn len(&self) -> usize {
        self.base.arena.len() + self.own.len()
    }

    /// Whether there are no nodes but the terminals.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number that the next new node gets.
    pub(super) fn next_id(&self) -> u32 {
        self.first_own + self.own.len() as u32
    }

    /// Number of edges, those of the base included.
    pub fn edge_len(&self) -> usize {
        self.base.arena.edge_count() + self.own.edge_count()
    }

    /// Bytes held by this space, without those of its base.
    pub fn bytes(&self) -> usize {
        let stacks = self.scratch.capacity() * size_of::<Edge>() + self.pairs.capacity() * size_of::<Pair>();
        self.own.bytes() + self.memo.bytes() + stacks
    }

    #[inline]
    fn store(&self, id: u32) -> (&Arena, usize) {
        if id >= self.first_own {
            (&self.own, (id - self.first_own) as usize)
        } else {
            (&self.base.arena, (id - TERMINALS) as usize)
        }
    }

    /// The level of a node; terminals stand below all levels.
    #[inline]
    pub(super) fn level(&self, id: u32) -> Level {
        if id < TERMINALS {
            return BOTTOM;
        }
        let (arena, index) = self.store(id);
        arena.level(index)
    }

    /// Level and edges of a node; a terminal has no edges.
    #[inline]
    pub(super) fn node(&self, id: u32) -> (Level, &[Edge]) {
        if id < TERMINALS {
            return (BOTTOM, &[]);
        }
        let (arena, index) = self.store(id);
        arena.node(index)
    }

    /// The edges of a node; a terminal has none.
    #[inline]
    pub(super) fn edges(&self, id: u32) -> &[Edge] {
        self.node(id).1
    }

    /// Adds an edge to the node under construction that started at `from`, joined with its neighbour if
    /// both lead to the same node.
    #[inline]
    pub(super) fn emit(&mut self, from: usize, end: u16, child: u32) {
        if self.scratch.len() > from
            && let Some(last) = self.scratch.last_mut()
            && last.child() == child
        {
            *last = Edge::new(end, child);
        } else {
            self.scratch.push(Edge::new(end, child));
        }
    }

    /// The node of a level whose edges were emitted since `from`; takes them off the stack.
    pub(super) fn make(&mut self, level: Level, from: usize) -> u32 {
        let edges = &self.scratch[from..];
        if let [only] = edges {
            let only = only.child();
            self.scratch.truncate(from);
            return only;
        }
        let (hash, largest) = digest(level, edges);
        let in_base = if largest < self.first_own { self.base.arena.find(hash, level, edges) } else { None };
        let id = match in_base {
            Some(index) => index as u32 + TERMINALS,
            None => match self.own.find(hash, level, edges) {
                Some(index) => index as u32 + self.first_own,
                None => {
                    if self.own.len() >= self.limit
                        || self.len() >= MOST_NODES
                        || self.own.edge_count() > MOST_EDGES
                    {
                        self.exhausted = true;
                        self.scratch.truncate(from);
                        return Set::EMPTY.0;
                    }
                    self.own.add(hash, level, edges) as u32 + self.first_own
                }
            },
        };
        self.scratch.truncate(from);
        id
    }

    /// The node of a level that leads to `child` between two values, ends included, and to the empty set
    /// elsewhere. Values beyond the level's largest are cut off; a range that is upside down is empty.
    pub(super) fn ranged(&mut self, level: Level, low: u16, high: u16, child: u32) -> u32 {
        let largest = max(level);
        if low > high || low > largest {
            return Set::EMPTY.0;
        }
        let from = self.scratch.len();
        if low > 0 {
            self.emit(from, low - 1, Set::EMPTY.0);
        }
        self.emit(from, high.min(largest), child);
        if high < largest {
            self.emit(from, largest, Set::EMPTY.0);
        }
        self.make(level, from)
    }

    /// The same set of packets as one of another space.
    pub fn import(&mut self, other: &Space, set: Set) -> Set {
        let mut known = FxHashMap::default();
        Set(self.import_node(other, set.0, &mut known))
    }

    /// The same sets of packets as those of another space, in the same order. What they share is copied
    /// once.
    pub fn import_all(&mut self, other: &Space, sets: &[Set]) -> Vec<Set> {
        let mut known = FxHashMap::default();
        sets.iter().map(|set| Set(self.import_node(other, set.0, &mut known))).collect()
    }

    fn import_node(&mut self, other: &Space, id: u32, known: &mut FxHashMap<u32, u32>) -> u32 {
        let same_base = Arc::ptr_eq(&self.base, &other.base);
        if id < TERMINALS || (same_base && id < self.first_own) {
            return id;
        }
        if self.exhausted || other.exhausted {
            // A set of an exhausted space means nothing, so neither does its copy.
            self.exhausted = true;
            return Set::EMPTY.0;
        }
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let from = self.scratch.len();
        let (level, edges) = other.node(id);
        for edge in edges {
            let copy = self.import_node(other, edge.child(), known);
            self.emit(from, edge.end(), copy);
        }
        let copy = self.make(level, from);
        known.insert(id, copy);
        copy
    }
}
