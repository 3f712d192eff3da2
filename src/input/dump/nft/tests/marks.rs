//! Marks: what sets them, what asks for them.

use super::places::base;
use super::{FORWARD, compiled, dump_of, shown, table};

/// The rules of a table with one chain.
fn made(rule: &str) -> Vec<String> {
    let all = compiled(&dump_of(&table("inet", FORWARD, "", &[rule])));
    assert!(all.unclear_marks.is_none(), "{rule}");
    shown(&all.rulesets[0], "c")
}

const MARK: &str = r#"{"meta": {"key": "mark"}}"#;
const CT_MARK: &str = r#"{"ct": {"key": "mark"}}"#;

fn set(key: &str, value: &str) -> String {
    format!(r#"{{"mangle": {{"key": {key}, "value": {value}}}}}"#)
}

fn asks(left: &str, op: &str, right: &str) -> String {
    format!(r#"{{"match": {{"op": "{op}", "left": {left}, "right": {right}}}}}"#)
}

#[test]
fn operations_on_marks_are_read_bit_by_bit() {
    let change = |value: &str| made(&set(MARK, value))[0].clone();
    let of = |packet: &str, connection: &str, flip: &str| {
        format!("Packet mark = packet & {packet} ^ connection & {connection} ^ {flip}")
    };
    assert_eq!(change("5"), of("0x0", "0x0", "0x5"));
    assert_eq!(change(&format!(r#"{{"|": [{MARK}, 3]}}"#)), of("0xfffffffc", "0x0", "0x3"));
    assert_eq!(change(&format!(r#"{{"&": [{MARK}, 3]}}"#)), of("0x3", "0x0", "0x0"));
    assert_eq!(change(&format!(r#"{{"^": [{MARK}, 3]}}"#)), of("0xffffffff", "0x0", "0x3"));
    assert_eq!(change(&format!(r#"{{"|": [{{"&": [{MARK}, 240]}}, 1]}}"#)), of("0xf0", "0x0", "0x1"));
    let two = format!(r#"{{"|": [{{"&": [{MARK}, 240]}}, {{"&": [{CT_MARK}, 15]}}]}}"#);
    assert_eq!(
        change(&two),
        of("0xf0", "0xf", "0x0").replacen("Packet", "Connection mark & 0x0 = [(0, 0)] Packet", 1)
    );
    let save = made(&set(CT_MARK, MARK));
    assert_eq!(save, ["Connection mark = packet & 0xffffffff ^ connection & 0x0 ^ 0x0"]);
    for open in [
        format!(r#"{{"&": [{MARK}, {CT_MARK}]}}"#),
        format!(r#"{{"<<": [{MARK}, 8]}}"#),
        r#"{"map": {"key": {"meta": {"key": "iifname"}}, "data": {"set": [["a", 1]]}}}"#.to_owned(),
        r#"{"numgen": {"mode": "inc", "mod": 2, "offset": 0}}"#.to_owned(),
    ] {
        let all = compiled(&dump_of(&table("inet", FORWARD, "", &[&set(MARK, &open)])));
        assert!(all.unclear_marks.is_some(), "{open}");
    }
}

#[test]
fn marks_are_asked_for_under_masks_in_sets_and_in_maps() {
    let drop = |condition: &str| made(&format!(r#"{condition}, {{"drop": null}}"#))[0].clone();
    assert_eq!(drop(&asks(MARK, "==", "16")), "Packet mark & 0xffffffff = [(10, 10)] drop");
    let masked = format!(r#"{{"&": [{MARK}, 240]}}"#);
    assert_eq!(drop(&asks(&masked, "==", "16")), "Packet mark & 0xf0 = [(10, 10)] drop");
    assert_eq!(drop(&asks(&masked, "!=", "0")), "Packet mark & 0xf0 = [(1, ffffffff)] drop");
    assert_eq!(drop(&asks(CT_MARK, "!=", "0")), "Connection mark & 0xffffffff = [(1, ffffffff)] drop");
    let some = r#"{"set": [1, {"range": [5, 9]}]}"#;
    assert_eq!(drop(&asks(MARK, "==", some)), "Packet mark & 0xffffffff = [(1, 1), (5, 9)] drop");
}

#[test]
fn what_a_rule_does_behind_a_mark_is_for_those_with_the_old_one() {
    // Asked again behind the mark, the condition would never hold.
    let rule = format!(r#"{}, {}, {{"accept": null}}"#, asks(MARK, "==", "0"), set(MARK, "1"));
    let all = compiled(&dump_of(&table("inet", FORWARD, "", &[&rule])));
    assert_eq!(shown(&all.rulesets[0], "c"), ["Packet mark & 0xffffffff = [(0, 0)] jump marked"]);
    assert_eq!(
        shown(&all.rulesets[0], "marked"),
        ["Packet mark = packet & 0x0 ^ connection & 0x0 ^ 0x1", "accept"]
    );
    let plain = format!(r#"{}, {{"accept": null}}"#, set(MARK, "1"));
    assert_eq!(made(&plain), ["Packet mark = packet & 0x0 ^ connection & 0x0 ^ 0x1", "accept"]);
}

#[test]
fn where_the_model_has_no_such_place_no_mark_is_known() {
    let rule = set(MARK, "1");
    let unclear = |kind: &str, hook: &str, priority: i64, rule: &str| {
        compiled(&dump_of(&table("inet", &base(kind, hook, priority), "", &[rule]))).unclear_marks.is_some()
    };
    assert!(!unclear("filter", "prerouting", -150, &rule) && !unclear("route", "output", 0, &rule));
    assert!(unclear("nat", "prerouting", -100, &rule) && unclear("filter", "prerouting", -50, &rule));
    let of_connection = set(CT_MARK, "1");
    assert!(
        unclear("filter", "prerouting", -300, &of_connection)
            && !unclear("filter", "input", 0, &of_connection)
    );
    let routed = compiled(&dump_of(&table("inet", &base("route", "output", -150), "", &[&rule])));
    assert_eq!(routed.rulesets[0].rerouting.len(), 1);
    let filtered = compiled(&dump_of(&table("inet", &base("filter", "output", -150), "", &[&rule])));
    assert!(filtered.rulesets[0].rerouting.is_empty());
}
