//! Sets of numbers as sorted ranges, both ends included, which neither touch nor overlap.

/// A sorted list of ranges.
pub(super) type Ranges = Vec<(u128, u128)>;

/// The largest number of so many bits.
pub(super) fn last(bits: u32) -> u128 {
    if bits >= u128::BITS { u128::MAX } else { (1 << bits) - 1 }
}

/// The same numbers in sorted ranges that do not touch.
pub(super) fn merged(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut made: Ranges = Vec::new();
    for (low, high) in ranges {
        match made.last_mut() {
            Some((_, end)) if low <= end.saturating_add(1) => *end = (*end).max(high),
            Some(_) | None => made.push((low, high)),
        }
    }
    made
}

/// The numbers of so many bits that are in none of the merged ranges.
pub(super) fn others(ranges: &Ranges, bits: u32) -> Ranges {
    let mut gaps = Vec::new();
    let mut free = Some(0);
    for (low, high) in ranges {
        let Some(next) = free else { break };
        if next < *low {
            gaps.push((next, low - 1));
        }
        free = high.checked_add(1);
    }
    if let Some(next) = free.filter(|next| *next <= last(bits)) {
        gaps.push((next, last(bits)));
    }
    gaps
}

/// The numbers of so many bits, which must be few, for which something holds.
pub(super) fn where_holds(bits: u32, holds: impl Fn(u128) -> bool) -> Ranges {
    let mut made: Ranges = Vec::new();
    for number in (0..=last(bits)).filter(|number| holds(*number)) {
        match made.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            Some(_) | None => made.push((number, number)),
        }
    }
    made
}

/// Whether a number is in one of the merged ranges.
pub(super) fn has(ranges: &Ranges, number: u128) -> bool {
    let behind = ranges.partition_point(|(low, _)| *low <= number);
    behind.checked_sub(1).is_some_and(|at| number <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_keeps_every_number_and_the_others_are_the_rest(
            ranges in prop::collection::vec((0_u128..256, 0_u128..256), 0..9),
        ) {
            let ranges: Ranges = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let one = merged(ranges.clone());
            let rest = others(&one, 8);
            prop_assert!(one.windows(2).all(|two| two[0].1 + 1 < two[1].0));
            for number in 0..256 {
                let within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&number));
                prop_assert_eq!(has(&one, number), within);
                prop_assert_eq!(has(&rest, number), !within);
            }
            prop_assert_eq!(where_holds(8, |number| has(&one, number)), one);
        }
    }

    #[test]
    fn the_ends_of_all_numbers_are_no_special_case() {
        assert_eq!(others(&vec![(0, u128::MAX)], 128), []);
        assert_eq!(others(&vec![], 128), [(0, u128::MAX)]);
        assert_eq!(merged(vec![(5, u128::MAX), (0, 4), (7, 9)]), [(0, u128::MAX)]);
    }
}
