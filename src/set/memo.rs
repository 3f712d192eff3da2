//! The memo of the binary operations: a direct-mapped cache that forgets, and grows with the diagram.
//!
//! Forgetting costs time, never correctness. A full hash map remembers everything, but needs several times
//! the memory of the nodes themselves, and a miss in it is slower than the work it saves on small nodes.

/// One remembered result.
#[derive(Debug, Clone, Copy)]
struct Slot {
    a: u32,
    b: u32,
    tag: u32,
    result: u32,
}

const FREE: Slot = Slot { a: 0, b: 0, tag: u32::MAX, result: 0 };
const SMALLEST: usize = 1 << 10;
/// 4 MB: larger ones were measured slower, because every look-up then misses the processor's caches.
const LARGEST: usize = 1 << 18;

#[derive(Debug)]
pub(super) struct Memo {
    slots: Vec<Slot>,
    /// Insertions since the last growth.
    used: usize,
}

impl Memo {
    pub(super) fn new() -> Memo {
        Memo { slots: vec![FREE; SMALLEST], used: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    #[inline]
    fn index(&self, tag: u32, a: u32, b: u32) -> usize {
        let mixed = (u64::from(a) << 32 | u64::from(b)) ^ u64::from(tag) << 28;
        let hash = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    #[inline]
    pub(super) fn get(&self, tag: u32, a: u32, b: u32) -> Option<u32> {
        let slot = &self.slots[self.index(tag, a, b)];
        (slot.a == a && slot.b == b && slot.tag == tag).then_some(slot.result)
    }

    #[inline]
    pub(super) fn put(&mut self, tag: u32, a: u32, b: u32, result: u32) {
        if self.used > self.slots.len() && self.slots.len() < LARGEST {
            self.grow();
        }
        self.used += 1;
        let index = self.index(tag, a, b);
        self.slots[index] = Slot { a, b, tag, result };
    }

    fn grow(&mut self) {
        let larger = vec![FREE; 4 * self.slots.len()];
        let old = std::mem::replace(&mut self.slots, larger);
        for slot in old.into_iter().filter(|slot| slot.tag != FREE.tag) {
            let index = self.index(slot.tag, slot.a, slot.b);
            self.slots[index] = slot;
        }
        self.used = 0;
    }
}
