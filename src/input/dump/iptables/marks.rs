//! The targets `MARK` and `CONNMARK`, and what `-m mark` and `-m connmark` ask (iptables-extensions(8); `xt_mark.c`,
//! `xt_connmark.c`).

use super::condition::Condition;
use super::rule::{Opening, Outcome, RuleReader, error};
use super::target::{Effect, Verdict};
use crate::model::{MarkChange, Marked, Test};
use crate::source::Spanned;

/// Reads `--mark value[/mask]` of a match.
pub(super) fn option(reader: &mut RuleReader<'_, '_, '_>, of: Marked, mut opening: Opening) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let (value, mask) = pair(text)?;
    let mask = mask.unwrap_or(u32::MAX);
    let test = Test::Mark { of, mask, values: vec![(value, value)] };
    reader.push(Condition::test(test, opening.negated, opening.span), opening.span);
    Ok(())
}

/// What a target does with marks, as its options say.
enum Deed {
    /// Sets some bits to a value.
    Set { value: u32, mask: u32 },
    /// Gives the connection the mark of the packet.
    Save,
    /// Gives the packet that of the connection.
    Restore,
}

/// Reads the options of such a target.
pub(super) fn target(reader: &mut RuleReader<'_, '_, '_>, of: Marked, opening: Opening) -> Outcome<Verdict> {
    let mut deed = None;
    let (mut packet_mask, mut connection_mask) = (u32::MAX, u32::MAX);
    let mut unclear = false;
    while let Some((option, value)) = reader.target_option() {
        let of_connections = of == Marked::Connection;
        match (option.value, value) {
            ("--set-xmark", Some(text)) => {
                let (value, mask) = pair(text)?;
                deed = Some(Deed::Set { value, mask: mask.unwrap_or(u32::MAX) });
            }
            ("--set-mark", Some(text)) => {
                let (value, mask) = pair(text)?;
                deed = Some(Deed::Set { value, mask: mask.unwrap_or(u32::MAX) | value });
            }
            ("--and-mark", Some(text)) => deed = Some(Deed::Set { value: 0, mask: !number(text)? }),
            ("--or-mark", Some(text)) => {
                let bits = number(text)?;
                deed = Some(Deed::Set { value: bits, mask: bits });
            }
            ("--xor-mark", Some(text)) => deed = Some(Deed::Set { value: number(text)?, mask: 0 }),
            ("--save-mark", None) if of_connections => deed = Some(Deed::Save),
            ("--restore-mark", None) if of_connections => deed = Some(Deed::Restore),
            ("--nfmask", Some(text)) if of_connections => packet_mask = number(text)?,
            ("--ctmask", Some(text)) if of_connections => connection_mask = number(text)?,
            ("--mask", Some(text)) if of_connections => {
                packet_mask = number(text)?;
                connection_mask = packet_mask;
            }
            _ => unclear = true,
        }
    }
    let span = reader.upto(opening);
    let change = match deed {
        Some(_) if unclear => None,
        Some(Deed::Set { value, mask }) => Some(MarkChange::within(of, value, mask)),
        Some(Deed::Save) => {
            let (packet, connection) = (packet_mask, !connection_mask);
            Some(MarkChange { of: Marked::Connection, packet, connection, flip: 0 })
        }
        Some(Deed::Restore) => {
            let (packet, connection) = (!packet_mask, connection_mask);
            Some(MarkChange { of: Marked::Packet, packet, connection, flip: 0 })
        }
        None => None,
    };
    Ok(change.map_or(Verdict::Unknown { span, effect: Effect::Marks }, Verdict::Mark))
}

/// `value[/mask]`.
fn pair(text: Spanned<&str>) -> Outcome<(u32, Option<u32>)> {
    match text.value.split_once('/') {
        None => Ok((number(text)?, None)),
        Some((value, mask)) => {
            let part = |part| number(Spanned::new(part, text.span));
            Ok((part(value)?, Some(part(mask)?)))
        }
    }
}

/// A number of 32 bits, as C writes it: `0x1f`, `31`, `037`.
fn number(text: Spanned<&str>) -> Outcome<u32> {
    let digits = text.value;
    let parsed = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => u32::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    parsed.map_err(|_| error(text.span, format!("`{digits}` is not a mark")))
}

#[cfg(test)]
mod tests {
    use super::super::{Ruleset, parse};
    use super::*;
    use crate::diag::Diagnostics;
    use crate::header::Family;
    use crate::input::dump::Given;
    use crate::model::Action;
    use crate::source::SourceMap;

    fn read(table: &str, rule: &str) -> Result<Ruleset, String> {
        let chains = ":PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";
        let text = format!("*{table}\n{chains}-A PREROUTING {rule}\nCOMMIT\n");
        let mut sources = SourceMap::default();
        let id = sources.add("dump", text.as_str());
        let mut out = Diagnostics::default();
        let read = parse(sources.get(id), id, Family::V4, &Given::Absent, &mut out);
        read.ok_or_else(|| out.sorted().iter().map(|one| one.message.clone()).collect())
    }

    fn change(target: &str) -> Option<MarkChange> {
        let ruleset = read("mangle", &format!("-j {target}")).unwrap();
        match ruleset.filter.chains[0].rules[0].action {
            Action::Mark(change) => Some(change),
            Action::Continue => {
                assert!(ruleset.unclear_marks.is_some());
                None
            }
            other => panic!("{target}: {other:?}"),
        }
    }

    #[test]
    fn every_way_to_set_a_mark_is_read() {
        let packet = |packet, flip| MarkChange { of: Marked::Packet, packet, connection: 0, flip };
        for (target, expected) in [
            ("MARK --set-xmark 0x1/0xffffffff", packet(0, 1)),
            ("MARK --set-xmark 0x10/0xf0", packet(!0xf0, 0x10)),
            // What is set outside the mask is turned round with `xmark`, and set with `mark`.
            ("MARK --set-xmark 0x11/0xf0", packet(!0xf0, 0x11)),
            ("MARK --set-mark 0x11/0xf0", packet(!0xf1, 0x11)),
            ("MARK --set-mark 7", packet(0, 7)),
            ("MARK --and-mark 0xff", packet(0xff, 0)),
            ("MARK --or-mark 010", packet(!8, 8)),
            ("MARK --xor-mark 0x3", packet(u32::MAX, 3)),
        ] {
            assert_eq!(change(target), Some(expected), "{target}");
        }
        let connection =
            |packet, connection, flip| MarkChange { of: Marked::Connection, packet, connection, flip };
        assert_eq!(change("CONNMARK --set-xmark 0x1/0xf"), Some(connection(0, !0xf, 1)));
        assert_eq!(
            change("CONNMARK --save-mark --nfmask 0xff --ctmask 0xf"),
            Some(connection(0xff, !0xf, 0))
        );
        assert_eq!(change("CONNMARK --save-mark --mask 0xff"), Some(connection(0xff, !0xff, 0)));
        let restored = MarkChange { of: Marked::Packet, packet: 0, connection: u32::MAX, flip: 0 };
        assert_eq!(change("CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"), Some(restored));
        for unclear in
            ["CONNMARK --save-mark --left-shift-mark 8", "HMARK --hmark-mod 2", "MARK", "MARK --save-mark"]
        {
            assert_eq!(change(unclear), None, "{unclear}");
        }
        assert!(read("mangle", "-j MARK --set-mark 0x1ffffffff").is_err());
    }

    #[test]
    fn each_match_asks_for_its_own_mark() {
        let tests = |rule: &str| {
            let ruleset = read("mangle", &format!("{rule} -j DROP")).unwrap();
            ruleset.filter.chains[0].rules[0]
                .matches
                .iter()
                .map(|one| (one.negated, one.test.clone()))
                .collect::<Vec<_>>()
        };
        let mark = |of, mask, value| Test::Mark { of, mask, values: vec![(value, value)] };
        assert_eq!(tests("-m mark --mark 0x1"), [(false, mark(Marked::Packet, u32::MAX, 1))]);
        assert_eq!(tests("-m mark ! --mark 0x10/0xf0"), [(true, mark(Marked::Packet, 0xf0, 0x10))]);
        assert_eq!(
            tests("-m connmark --mark 0x2 -m mark --mark 3"),
            [(false, mark(Marked::Connection, u32::MAX, 2)), (false, mark(Marked::Packet, u32::MAX, 3))]
        );
    }

    #[test]
    fn where_the_kernel_shows_too_little_no_mark_is_known() {
        let unclear = |table: &str, rule: &str| read(table, rule).unwrap().unclear_marks.is_some();
        assert!(unclear("nat", "-j MARK --set-mark 1"));
        assert!(unclear("raw", "-j CONNMARK --set-mark 1"));
        assert!(unclear("raw", "-m connmark --mark 1 -j DROP"));
        assert!(
            !unclear("raw", "-j MARK --set-mark 1") && !unclear("mangle", "-m connmark --mark 1 -j DROP")
        );
        // Only what the table `mangle` changes sends own packets another way.
        let rerouting = |table: &str| {
            let text = format!("*{table}\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j MARK --set-mark 1\nCOMMIT\n");
            let mut sources = SourceMap::default();
            let id = sources.add("dump", text.as_str());
            let ruleset = parse(sources.get(id), id, Family::V4, &Given::Absent, &mut Diagnostics::default());
            ruleset.unwrap().rerouting.len()
        };
        assert_eq!((rerouting("mangle"), rerouting("raw"), rerouting("filter")), (1, 0, 0));
    }
}
