//! What a reader of pcapng finds in a capture.

use crate::report::fixture::{self, Story};
use crate::verdict::Leg;
use std::collections::BTreeMap;

/// A block: its kind and what stands between its two lengths.
fn blocks(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let length = number(4) as usize;
        assert!(length.is_multiple_of(4) && length >= 12, "{length}");
        assert_eq!(number(length - 4) as usize, length, "both lengths are the same");
        found.push((number(0), &bytes[8..length - 4]));
        bytes = &bytes[length..];
    }
    found
}

/// The texts of the options in the rest of a block.
fn options(mut bytes: &[u8]) -> BTreeMap<u16, String> {
    let mut found = BTreeMap::new();
    loop {
        let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (code, length) = (number(0), usize::from(number(2)));
        if code == 0 {
            assert_eq!(bytes.len(), 4, "nothing stands behind the end of options");
            return found;
        }
        found.insert(code, String::from_utf8(bytes[4..4 + length].to_vec()).unwrap());
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
}

fn segments(leg: &Leg) -> usize {
    leg.hops.iter().filter(|hop| hop.is_segment).count()
}

#[test]
fn each_segment_that_a_packet_crosses_is_an_interface_that_saw_it() {
    let Story { report, sources } = fixture::story();
    let bytes = super::report(std::slice::from_ref(&report), &sources);
    let blocks = blocks(&bytes);
    let (kind, body) = blocks[0];
    assert_eq!((kind, &body[..8]), (0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..]));
    assert!(options(&body[16..])[&1].contains(&report.topology));
    let mut interfaces = Vec::new();
    let mut packets = 0;
    for (kind, body) in &blocks[1..] {
        match kind {
            1 => interfaces.push(options(&body[8..])[&2].clone()),
            6 => {
                let number = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap());
                assert!(
                    (number(0) as usize) < interfaces.len(),
                    "an interface is described before it is used"
                );
                assert_eq!(number(8), packets * 1000);
                let length = number(12) as usize;
                let version = if body[20] == 2 { 4 } else { 6 };
                assert_eq!(body[24] >> 4, version);
                let told = options(&body[20 + length.next_multiple_of(4)..]);
                assert!(told[&1].starts_with("claim "), "{told:?}");
                packets += 1;
            }
            other => panic!("a block of kind {other}"),
        }
    }
    let legs = report.judgements.iter().flat_map(|one| &one.findings).flat_map(|finding| &finding.legs);
    let crossed: usize = legs.clone().map(segments).sum();
    assert!(crossed > 2);
    assert_eq!(packets as usize, crossed);
    let named = legs.flat_map(|leg| &leg.hops).find(|hop| hop.is_segment).unwrap();
    assert!(interfaces.contains(&named.place));
}

#[test]
fn a_comment_names_the_line_that_let_the_packet_through() {
    let Story { report, sources } = fixture::story();
    let bytes = super::report(std::slice::from_ref(&report), &sources);
    let text = String::from_utf8_lossy(&bytes);
    let steps = report.judgements.iter().flat_map(|one| &one.findings).flat_map(|finding| &finding.legs);
    let opening =
        steps.flat_map(|leg| &leg.hops).flat_map(|hop| &hop.steps).find(|step| step.opening).unwrap();
    let line = sources.place(opening.span.unwrap());
    assert!(text.contains(&format!("{}: {} ({line})", opening.stage, opening.text)));
}

#[test]
fn a_walk_is_a_capture_and_so_is_a_refusal() {
    let (sources, trace) = fixture::traced();
    let walked = super::trace(&trace, &sources);
    let walks = trace.packets.iter().flat_map(|packet| &packet.walks);
    let crossed: usize = walks.map(|walk| segments(&walk.leg)).sum();
    assert_eq!(blocks(&walked).iter().filter(|(kind, _)| *kind == 6).count(), crossed);
    let Story { report, .. } = fixture::story();
    let refused = super::errors(&report.warnings);
    let [(_, body)] = blocks(&refused)[..] else { panic!("one block") };
    assert!(options(&body[16..])[&1].starts_with("nothing was decided: "));
}
