//! `isoaudit send-packet`: one packet as given, from the namespace that it is called in.

use super::Outcome;
use super::args::SendPacketArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::output::usage;
use isoaudit::diag::Code;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `IPPROTO_RAW`: what is sent has its IP header already (raw(7)).
const RAW: i32 = 255;

pub(super) fn run(arguments: &SendPacketArgs) -> Outcome {
    let bytes = bytes(&arguments.bytes).ok_or_else(|| usage("the packet is not in hexadecimal"))?;
    let to = destination(&bytes).ok_or_else(|| usage("the packet has no header of IPv4 or IPv6"))?;
    let interface = Some(arguments.interface.as_str()).filter(|name| *name != "-");
    let cannot = |why: String| {
        let help = "`isoaudit reproduce` sends packets in network namespaces of its own";
        Failure::homeless(Code::Reproduce, format!("a packet to {to} could not be sent: {why}"), help)
    };
    if !is_in_own_namespace() {
        return Err(cannot("this would be the network of the machine".to_owned()));
    }
    send(&bytes, to, interface).map_err(|error| cannot(error.to_string()))?;
    Ok(Exit::Fine)
}

/// Whether this runs in a user namespace below that of the machine, which maps every user to itself (user_namespaces(7)).
fn is_in_own_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

fn send(bytes: &[u8], to: IpAddr, interface: Option<&str>) -> io::Result<()> {
    let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
    socket.bind_device(interface.map(str::as_bytes))?;
    socket.set_broadcast(true)?;
    socket.send_to(bytes, &SocketAddr::new(to, 0).into())?;
    Ok(())
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// Where the header says that the packet goes (RFC 791 section 3.1, RFC 8200 section 3).
fn destination(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.first()? >> 4 {
        4 => Some(Ipv4Addr::from(*bytes.get(16..20)?.first_chunk::<4>()?).into()),
        6 => Some(Ipv6Addr::from(*bytes.get(24..40)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_with_its_destination() {
        let v4 = bytes("4500001400010000401100000a000001c0000209").unwrap();
        assert_eq!(destination(&v4), Some("192.0.2.9".parse().unwrap()));
        let v6 = [&[0x60_u8; 24][..], &[0; 15], &[9]].concat();
        assert_eq!(destination(&v6), Some("::9".parse().unwrap()));
        for wrong in ["4", "4g", "é0", "45"] {
            assert_eq!(bytes(wrong).and_then(|bytes| destination(&bytes)), None, "{wrong}");
        }
    }
}
