//! The only file that knows of threads. Results come back in the order of the inputs, whatever the number of threads.

use rayon::prelude::*;

/// Runs `work` on pieces of a list, and returns the results in order. The pieces do not depend on the number of
/// threads, so neither does what is made of them.
pub(crate) fn chunks<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> R + Sync + Send) -> Vec<R> {
    const PIECES: usize = 16;
    let size = items.len().div_ceil(PIECES).max(1);
    items.par_chunks(size).map(work).collect()
}

/// Runs `work` on each item, and returns the results in order.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    // Each item is work of its own, and some are far heavier than others.
    items.par_iter().with_max_len(1).map(work).collect()
}
