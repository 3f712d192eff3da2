//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng): section header, interface description, enhanced packet. Numbers
//! are little-endian, as the first block says.

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Packets begin with the number of their family, four bytes. Only IP headers would be simpler (`LINKTYPE_RAW`), but libpcap
/// reads no capture that has several interfaces of that kind.
const LINKTYPE_NULL: u16 = 0;
const FAMILY_V4: u32 = 2;
/// The number that BSD has for it, which every reader knows.
const FAMILY_V6: u32 = 24;

/// Options and their numbers. Comments go with any block.
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const APPLICATION: u16 = 4;

/// Bytes that the text of one option may have, a multiple of four.
const OPTION_MAX: usize = 4096;

/// A capture in the making: one section.
#[derive(Debug)]
pub(super) struct Capture {
    bytes: Vec<u8>,
    /// The names of its interfaces, in the order of their numbers.
    interfaces: Vec<String>,
    packets: u32,
}

impl Capture {
    /// An empty capture that says where it comes from.
    pub(super) fn new(comment: &str) -> Capture {
        let mut body = Vec::new();
        body.extend(BYTE_ORDER.to_le_bytes());
        // Version 1.0; how long the section is, is not said.
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        let application = format!("isoaudit {}", env!("CARGO_PKG_VERSION"));
        options(&mut body, &[(COMMENT, comment), (APPLICATION, &application)]);
        let mut capture = Capture { bytes: Vec::new(), interfaces: Vec::new(), packets: 0 };
        capture.block(SECTION_HEADER, &body);
        capture
    }

    /// Adds a packet, from its IP header on, as it is seen at a place. There is one interface for each place; times only
    /// number the packets, one millisecond each.
    pub(super) fn packet(&mut self, place: &str, bytes: &[u8], comment: &str) {
        let interface = self.interface(place);
        // Packets of the model are far shorter than 2³² bytes.
        let length = u32::try_from(bytes.len() + 4).unwrap_or(u32::MAX);
        let is_v6 = bytes.first().is_some_and(|first| first >> 4 == 6);
        let family = if is_v6 { FAMILY_V6 } else { FAMILY_V4 };
        let time = u64::from(self.packets) * 1000;
        self.packets = self.packets.saturating_add(1);
        let mut body = Vec::new();
        for number in [interface, (time >> 32) as u32, time as u32, length, length] {
            body.extend(number.to_le_bytes());
        }
        padded(&mut body, &[&family.to_le_bytes(), bytes].concat());
        options(&mut body, &[(COMMENT, comment)]);
        self.block(ENHANCED_PACKET, &body);
    }

    /// The capture as a file.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn interface(&mut self, place: &str) -> u32 {
        let known = self.interfaces.iter().position(|name| name == place);
        let number = known.unwrap_or_else(|| {
            let mut body = Vec::new();
            body.extend(LINKTYPE_NULL.to_le_bytes());
            // Reserved, and no limit to the length of packets.
            body.extend([0; 6]);
            options(&mut body, &[(INTERFACE_NAME, place)]);
            self.block(INTERFACE_DESCRIPTION, &body);
            self.interfaces.push(place.to_owned());
            self.interfaces.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(body);
        self.bytes.extend(length.to_le_bytes());
    }
}

/// Appends options, each cut to what fits, and the end of options.
fn options(body: &mut Vec<u8>, all: &[(u16, &str)]) {
    for (code, text) in all {
        let mut end = text.len().min(OPTION_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        body.extend(code.to_le_bytes());
        body.extend((end as u16).to_le_bytes());
        padded(body, &text.as_bytes()[..end]);
    }
    body.extend([0; 4]);
}

/// Appends bytes, filled up to a multiple of four.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}
