//! Section 6: what each claim asks, and what it leaves free.

use super::*;

fn pair(test: &str, claim: &str, policy: &str) -> Judged {
    let changes = [
        (r#"isolated: { from: "zone:left", to: "zone:right" }"#, claim),
        ("zones:", "sites: { hq1: { jurisdiction: SE } }\nzones:"),
    ];
    judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("r.rules", &rules(policy))])
}

#[test]
fn a_claim_points_one_way_or_the_other_or_both() {
    let back = "  rule back { allow from 10.2.0.10 to 10.1.0.10 service udp/514 stateless }";
    for (direction, expected) in [("out", "holds"), ("in", "violated"), ("both", "violated")] {
        let claim = format!(r#"isolated: {{ from: "zone:left", to: "zone:right", direction: {direction} }}"#);
        let judged = pair(&format!("direction-{direction}"), &claim, back);
        assert_eq!(judged.claim("apart").verdict.word(), expected, "{direction}: {}", judged.text());
        let closed = pair(&format!("direction-{direction}-closed"), &claim, "");
        let summary = &closed.claim("apart").summary;
        assert_eq!(summary.ends_with(", nor the other way round"), direction == "both", "{summary}");
    }
}

/// That nothing gets from left to right but a flow.
fn except(flow: &str) -> String {
    format!(r#"isolated: {{ from: "zone:left", to: "zone:right", except: [ {{ {flow} }} ] }}"#)
}

const WEB: &str = "  rule web { allow from 10.1.0.10 to 10.2.0.10 service tcp/443 stateless }";
const MORE: &str = "  rule more { allow from 10.1.0.10 to 10.2.0.10 service tcp/80 stateless }";

#[test]
fn an_excepted_flow_frees_its_service_and_nothing_else() {
    let claim = &except(r#"from: "node:a", to: "node:b", service: tcp/443"#);
    let free = pair("except-free", claim, WEB);
    assert_eq!(free.verdicts(), "apart=holds", "{}", free.text());
    assert!(free.claim("apart").summary.ends_with("apart from 1 excepted flow"));
    let more = pair("except-more", claim, &format!("{WEB}\n{MORE}"));
    assert_eq!(more.verdicts(), "apart=violated", "{}", more.text());
    let other = WEB.replace("from 10.1.0.10", "from 10.1.0.11");
    let other = pair("except-other", claim, &other);
    assert_eq!(other.verdicts(), "apart=violated", "another source is not excepted: {}", other.text());
}

/// Nobody says where `b` is: perhaps the flow is excepted, so that nothing is certain either way (rule 4.4).
#[test]
fn what_is_perhaps_excepted_is_neither_free_nor_forbidden() {
    let claim = &except(r#"from: "node:a", to: "site:hq1", service: tcp/443"#);
    let judged = pair("except-perhaps", claim, WEB);
    assert_eq!(judged.verdicts(), "apart=undetermined", "{}", judged.text());
}

#[test]
fn replies_are_free_only_if_the_exception_says_so() {
    let rules = "  rule back { allow from 10.2.0.10 to 10.1.0.10 service tcp/443 }";
    let of = |test: &str, replies: &str| {
        let flow = format!(r#"from: "node:b", to: "node:a", service: tcp/443{replies}"#);
        pair(test, &except(&flow).replace("zone:right", "node:b"), rules)
    };
    let free = of("replies-free", ", replies: allowed");
    assert_ne!(free.claim("apart").verdict, Verdict::Violated, "{}", free.text());
    let not = of("replies-not", "");
    assert_eq!(not.verdicts(), "apart=violated", "{}", not.text());
}

#[test]
fn with_its_doors_closed_nothing_may_be_left() {
    let of = |test: &str, via: &str| {
        let claim = format!(r#"only-via: {{ from: "zone:left", to: "zone:right", via: [{via}] }}"#);
        pair(test, &claim, &format!("{WEB}\n{MORE}"))
    };
    let both = of("doors-both", r#""rule:r/web", "rule:r/more""#);
    assert_eq!(both.verdicts(), "apart=holds", "{}", both.text());
    assert!(both.claim("apart").summary.ends_with("without passing a door of `via`"), "{}", both.text());
    let one = of("doors-one", r#""rule:r/web""#);
    assert_eq!(one.verdicts(), "apart=violated", "{}", one.text());
    assert!(one.text().contains("rule more allows"), "{}", one.text());
    let interface = of("doors-interface", r#""r:r""#);
    assert_eq!(interface.verdicts(), "apart=holds", "{}", interface.text());
}

#[test]
fn what_could_not_leave_its_own_segment_makes_a_claim_vacuous() {
    let spare = "  z: { role: host, interfaces: { eth0: { ipv4: 10.5.0.5/24, zone: spare } } }\n";
    let of = |test: &str, from: &str| {
        let changes = [
            ("left: {}, ", "left: {}, spare: {}, "),
            ("nodes:\n", &*format!("nodes:\n{spare}")),
            (r#"from: "zone:left""#, &*format!("from: \"{from}\"")),
        ];
        judge(test, &[("topology.yaml", &with(PAIR, &changes)), ("r.rules", &rules(""))])
    };
    let alone = of("vacuous-alone", "zone:spare");
    assert_eq!(alone.verdicts(), "apart=vacuous", "{}", alone.text());
    let among = of("vacuous-among", "zone:spare or zone:left");
    assert_eq!(among.verdicts(), "apart=holds", "{}", among.text());
    let notes = &among.claim("apart").notes;
    assert!(notes.iter().any(|note| note.text.contains("held by absence of links")), "{notes:?}");
}

#[test]
fn an_exception_for_everything_makes_a_claim_vacuous() {
    let claim = &except(r#"from: "zone:left", to: "zone:right""#);
    let judged = pair("vacuous-except", claim, WEB);
    assert_eq!(judged.verdicts(), "apart=vacuous", "{}", judged.text());
}

/// A limit reached is everything beyond it, perhaps.
#[test]
fn a_search_that_was_cut_short_proves_nothing() {
    let policy = rules("");
    let files = [("topology.yaml", PAIR), ("r.rules", &*policy)];
    let mut options = Options::default();
    options.judging.limits.steps = 0;
    let judged = judge_with("limit", &files, &options);
    assert_eq!(judged.verdicts(), "apart=undetermined", "{}", judged.text());
    assert!(judged.text().contains("--limit-rounds"), "{}", judged.text());
}
