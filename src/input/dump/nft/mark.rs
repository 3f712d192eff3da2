//! Statements that set marks: `meta mark set`, `ct mark set` (libnftables-json(5), MANGLE; `nft_bitwise.c`).

use super::field::only_entry;
use crate::input::dump::json::{Json, Value};
use crate::model::{MarkChange, Marked};

/// Operands of one operation.
const MOST_OPERANDS: usize = 16;

/// How deep operations may stand within each other.
const DEPTH_MAX: usize = 16;

/// Which mark an expression names, if it names one.
pub(super) fn marked(json: &Json<'_>) -> Option<Marked> {
    let (kind, inner) = only_entry(json)?;
    let of = match kind {
        "meta" => Marked::Packet,
        "ct" => Marked::Connection,
        _ => return None,
    };
    match only_entry(inner) {
        Some(("key", key)) if super::field::text_of(key) == Some("mark") => Some(of),
        _ => None,
    }
}

/// What a statement makes of a mark; `None` if that is not understood.
pub(super) fn change(of: Marked, value: &Json<'_>) -> Option<MarkChange> {
    let Bits { packet, connection, flip } = bits(value, 0)?;
    Some(MarkChange { of, packet, connection, flip })
}

/// A value, bit by bit: some bits of the marks, some of them turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bits {
    packet: u32,
    connection: u32,
    flip: u32,
}

impl Bits {
    /// The bits that may be set.
    fn all(self) -> u32 {
        self.packet | self.connection | self.flip
    }

    fn constant(self) -> Option<u32> {
        (self.packet | self.connection == 0).then_some(self.flip)
    }

    fn and(self, mask: u32) -> Bits {
        Bits { packet: self.packet & mask, connection: self.connection & mask, flip: self.flip & mask }
    }

    fn xor(self, other: Bits) -> Bits {
        Bits {
            packet: self.packet ^ other.packet,
            connection: self.connection ^ other.connection,
            flip: self.flip ^ other.flip,
        }
    }
}

fn bits(json: &Json<'_>, depth: usize) -> Option<Bits> {
    if depth > DEPTH_MAX {
        return None;
    }
    if let Value::Number(text) = &json.value {
        return Some(Bits { packet: 0, connection: 0, flip: text.parse().ok()? });
    }
    if let Some(of) = marked(json) {
        let (packet, connection) = match of {
            Marked::Packet => (u32::MAX, 0),
            Marked::Connection => (0, u32::MAX),
        };
        return Some(Bits { packet, connection, flip: 0 });
    }
    let (operation, inner) = only_entry(json)?;
    let Value::Array(operands) = &inner.value else { return None };
    if operands.len() > MOST_OPERANDS {
        return None;
    }
    let mut operands = operands.iter().map(|operand| bits(operand, depth + 1));
    let first = operands.next()??;
    operands.try_fold(first, |left, right| combined(operation, left, right?))
}

fn combined(operation: &str, left: Bits, right: Bits) -> Option<Bits> {
    let (other, constant) = match (left.constant(), right.constant()) {
        (_, Some(constant)) => (left, Some(constant)),
        (Some(constant), None) => (right, Some(constant)),
        (None, None) => (left, None),
    };
    match (operation, constant) {
        ("^", _) => Some(left.xor(right)),
        ("&", Some(mask)) => Some(other.and(mask)),
        ("|", Some(set)) => {
            let kept = other.and(!set);
            Some(Bits { flip: kept.flip | set, ..kept })
        }
        // Of different bits, any is one or the other.
        ("|", None) if left.all() & right.all() == 0 => Some(left.xor(right)),
        _ => None,
    }
}
