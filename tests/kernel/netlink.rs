//! Netlink messages, as far as a bench of namespaces needs them: links, addresses, neighbours, routes, rules, logged packets,
//! connections (rtnetlink(7), `linux/rtnetlink.h`, `linux/netfilter/nfnetlink*.h`).

use super::sys;
use std::io::{Error, Result};
use std::net::IpAddr;
use std::os::fd::OwnedFd;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
/// `NLM_F_CREATE | NLM_F_EXCL`.
pub(crate) const CREATE: u16 = 0x600;
const NESTED: u16 = 0x8000;

/// A message under construction.
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request of a kind, with the fixed header of its family.
    pub(crate) fn new(kind: u16, flags: u16, header: &[u8]) -> Message {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST | ACKNOWLEDGE).to_ne_bytes());
        bytes.extend_from_slice(header);
        Message { bytes }
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Message {
        self.bytes.extend((value.len() as u16 + 4).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn text(&mut self, kind: u16, value: &str) -> &mut Message {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    pub(crate) fn number(&mut self, kind: u16, value: u32) -> &mut Message {
        self.attribute(kind, &value.to_ne_bytes())
    }

    pub(crate) fn address(&mut self, kind: u16, value: IpAddr) -> &mut Message {
        match value {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// An attribute of attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Message)) -> &mut Message {
        self.nest_behind(kind | NESTED, &[], fill)
    }

    /// The same, behind a fixed header.
    pub(crate) fn nest_behind(
        &mut self,
        kind: u16,
        header: &[u8],
        fill: impl FnOnce(&mut Message),
    ) -> &mut Message {
        let start = self.bytes.len();
        self.attribute(kind, header);
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// What stands behind the header of the message, for a list without a kind of its own.
    pub(crate) fn behind_header(&self) -> &[u8] {
        &self.bytes[16..]
    }

    /// Bytes without an attribute around them.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Message {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

/// A netlink socket, bound to the namespace in which it was opened.
pub(crate) struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(crate) fn open(family: i32) -> Result<Netlink> {
        let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, family)?;
        Ok(Netlink { fd, sequence: 0 })
    }

    /// Sends a request and waits for its acknowledgement. The kernel works it off before the call returns.
    pub(crate) fn call(&mut self, message: &Message) -> Result<()> {
        self.sequence += 1;
        let mut bytes = message.bytes.clone();
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        sys::send(&self.fd, &bytes)?;
        let mut buffer = [0_u8; 8192];
        loop {
            let Some(length) = sys::receive(&self.fd, &mut buffer)? else {
                return Err(Error::other("netlink does not answer"));
            };
            for (kind, sequence, body) in messages(&buffer[..length]) {
                if kind == libc::NLMSG_ERROR as u16 && sequence == self.sequence {
                    let code = i32::from_ne_bytes(body[..4].try_into().map_err(Error::other)?);
                    return if code == 0 { Ok(()) } else { Err(Error::from_raw_os_error(-code)) };
                }
            }
        }
    }

    /// What the kernel has sent without being asked: kind and body of each message.
    pub(crate) fn pending(&mut self, mut take: impl FnMut(u16, &[u8])) -> Result<()> {
        let mut buffer = [0_u8; 65536];
        while let Some(length) = sys::receive(&self.fd, &mut buffer)? {
            for (kind, _, body) in messages(&buffer[..length]) {
                take(kind, body);
            }
        }
        Ok(())
    }
}

/// Kind, sequence number and body of each message in a buffer.
fn messages(mut bytes: &[u8]) -> Vec<(u16, u32, &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 16 {
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if length < 16 || length > bytes.len() {
            break;
        }
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        let sequence = u32::from_ne_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        found.push((kind, sequence, &bytes[16..length]));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

/// The value of an attribute among those behind a fixed header.
pub(crate) fn find_attribute(body: &[u8], header: usize, wanted: u16) -> Option<&[u8]> {
    let mut rest = body.get(header..)?;
    while rest.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & 0x3fff;
        if length < 4 || length > rest.len() {
            return None;
        }
        if kind == wanted {
            return Some(&rest[4..length]);
        }
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    None
}
