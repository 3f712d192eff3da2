//! The bench: a network of namespaces, held by nothing but descriptors, so that nothing stays when the process ends.
//!
//! Each line is a pair of veths without ARP. A neighbour that owns an address has a permanent entry; what is sent to any
//! other address of a line is put on it with a destination of layer 2 that nobody has. So nothing is ever asked for, nothing
//! is late, and an address that nobody owns is heard by nobody, as on a real segment.

use super::frame::{Read, Shape, decode, encode};
use super::netlink::{CREATE, Message, Netlink, find_attribute};
use super::spec::{Backend, RouteAction, RouteSpec, RuleSpec, Spec};
use super::sys;
use isoaudit::header::{Packet, proto};
use std::fs::File;
use std::io::{Error, Result, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// Sockets and the name of one namespace.
struct Namespace {
    handle: File,
    routes: Netlink,
    /// What passed the input filter.
    delivered: Netlink,
    connections: Netlink,
    /// Every frame that any interface receives or sends.
    tap: OwnedFd,
    frames: OwnedFd,
    raw: [OwnedFd; 2],
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) node: usize,
    pub(crate) what: What,
    pub(crate) read: Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Put on a line.
    Put(usize),
    /// Received from a line, before any filter.
    Heard(usize),
    /// Past the input filter.
    Delivered,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// Somebody on a line, to the node at this side of it.
    Line { link: usize, to: usize },
    /// A node, by its own routes and output filter.
    Own(usize),
}

pub(crate) struct Bench {
    namespaces: Vec<Namespace>,
    backend: Backend,
    /// By line: the two nodes.
    ends: Vec<[usize; 2]>,
}

/// The group of packets that pass the input filter; any number.
const LOG_GROUP: u16 = 7;
const FIRST_INDEX: i32 = 10;
const ORACLE: &str = "table inet oracle { chain input {
    type filter hook input priority 1000; log group 7 snaplen 256 queue-threshold 1;
}; }";

/// What every namespace is set to before it has any interface, but for what a node says otherwise. The values of a new
/// namespace are those of the machine.
const SYSCTL: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    ("net.ipv4.conf.all.accept_source_route", "0"),
    ("net.ipv4.conf.default.accept_source_route", "0"),
    ("net.ipv4.conf.all.accept_local", "0"),
    ("net.ipv4.conf.default.accept_local", "0"),
    ("net.ipv6.conf.all.accept_redirects", "0"),
    ("net.ipv6.conf.default.accept_redirects", "0"),
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.autoconf", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    ("net.ipv6.conf.default.addr_gen_mode", "1"),
    ("net.ipv4.icmp_ratelimit", "0"),
    ("net.ipv4.icmp_msgs_per_sec", "100000000"),
    ("net.ipv4.icmp_msgs_burst", "100000000"),
    ("net.ipv6.icmp.ratelimit", "0"),
    ("net.ipv4.fib_multipath_hash_policy", "1"),
    ("net.netfilter.nf_conntrack_tcp_loose", "1"),
];

fn mac(link: usize, side: usize) -> [u8; 6] {
    [2, 0, 0, 0, link as u8 + 1, side as u8 + 1]
}

fn index(link: usize) -> i32 {
    FIRST_INDEX + link as i32
}

fn family_of(address: IpAddr) -> u8 {
    (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

fn told(what: &str) -> impl Fn(Error) -> Error + '_ {
    move |error| Error::new(error.kind(), format!("{what}: {error}"))
}

impl Namespace {
    fn new(sysctl: &[(String, String)], ipv6: bool) -> Result<Namespace> {
        sys::unshare_net().map_err(told("a network namespace"))?;
        let set = |key: &str, value: &str| {
            let path = format!("/proc/sys/{}", key.replace('.', "/"));
            std::fs::write(path, value).map_err(told(key))
        };
        SYSCTL.iter().try_for_each(|(key, value)| set(key, value))?;
        let off = if ipv6 { "0" } else { "1" };
        set("net.ipv6.conf.all.disable_ipv6", off)?;
        set("net.ipv6.conf.default.disable_ipv6", off)?;
        sysctl.iter().try_for_each(|(key, value)| set(key, value))?;
        let all = (libc::ETH_P_ALL as u16).to_be();
        let tap = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM, i32::from(all))
            .map_err(told("a packet socket"))?;
        sys::set_option(&tap, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 4 << 20)
            .or_else(|_| sys::set_option(&tap, libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20))?;
        let raw = |domain| sys::socket(domain, libc::SOCK_RAW, libc::IPPROTO_RAW);
        let raw = [raw(libc::AF_INET)?, raw(libc::AF_INET6)?];
        sys::set_option(&raw[0], libc::SOL_SOCKET, libc::SO_BROADCAST, 1)?;
        let mut routes = Netlink::open(libc::NETLINK_ROUTE)?;
        routes.call(&switch_on(1, libc::IFF_UP)).map_err(told("lo"))?;
        Ok(Namespace {
            handle: File::open("/proc/thread-self/ns/net")?,
            routes,
            delivered: log_socket().map_err(told("nfnetlink_log"))?,
            connections: Netlink::open(libc::NETLINK_NETFILTER)?,
            tap,
            frames: sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0)?,
            raw,
        })
    }
}

/// A socket that hears what the rule of [`ORACLE`] logs.
fn log_socket() -> Result<Netlink> {
    const CONFIG: u16 = 4 << 8 | 1;
    let mut socket = Netlink::open(libc::NETLINK_NETFILTER)?;
    let header = |group: u16| [0, 0, (group >> 8) as u8, group as u8];
    socket.call(Message::new(CONFIG, 0, &header(LOG_GROUP)).attribute(1, &[1]))?;
    let copy_packet = [0, 0, 1, 0, 2, 0];
    socket.call(Message::new(CONFIG, 0, &header(LOG_GROUP)).attribute(2, &copy_packet))?;
    Ok(socket)
}

fn link_header(index: i32, flags: i32, change: i32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

fn switch_on(index: i32, flags: i32) -> Message {
    Message::new(libc::RTM_NEWLINK, 0, &link_header(index, flags, flags))
}

impl Bench {
    /// Builds a network. The calling thread is left in a namespace of it.
    pub(crate) fn build(spec: &Spec) -> Result<Bench> {
        let mut namespaces = Vec::new();
        for node in &spec.nodes {
            let mut sysctl = node.sysctl.clone();
            if node.is_host {
                sysctl.push(("net.ipv4.ip_forward".to_owned(), "0".to_owned()));
                sysctl.push(("net.ipv6.conf.all.forwarding".to_owned(), "0".to_owned()));
            }
            namespaces.push(Namespace::new(&sysctl, spec.ipv6)?);
        }
        let ends = spec.links.iter().map(|link| [link.ends[0].node, link.ends[1].node]).collect();
        let mut bench = Bench { namespaces, backend: spec.backend, ends };
        bench.lines(spec).map_err(told("lines"))?;
        for (node, it) in spec.nodes.iter().enumerate() {
            for route in &it.routes {
                let added = bench.route(spec, node, route);
                // A next hop that the other routes lead elsewhere is none, and what is not there is not in the dump either.
                let is_lost = |error: &Error| error.raw_os_error() == Some(libc::EHOSTUNREACH);
                added
                    .or_else(|error| if is_lost(&error) { Ok(()) } else { Err(error) })
                    .map_err(told(&it.name))?;
            }
            for rule in &it.rules {
                bench.rule(node, rule).map_err(told(&format!("{} {rule:?}", it.name)))?;
            }
            bench.load(node, ORACLE)?;
            for (tables, command) in it.tables.iter().zip(["iptables", "ip6tables"]) {
                if !tables.tables.is_empty() {
                    bench.restore(command, &tables.text())?;
                }
            }
        }
        bench.settle(spec)?;
        bench.drain();
        Ok(bench)
    }

    pub(crate) fn enter(&self, node: usize) -> Result<()> {
        sys::enter_net(self.namespaces[node].handle.as_fd()).map_err(told("entering a namespace"))
    }

    fn restore(&self, command: &str, text: &str) -> Result<()> {
        let kind = if self.backend == Backend::Legacy { "-legacy" } else { "-nft" };
        run(&format!("{command}{kind}-restore"), &[], Some(text)).map(drop)
    }

    fn lines(&mut self, spec: &Spec) -> Result<()> {
        for (number, link) in spec.links.iter().enumerate() {
            let [one, two] = &link.ends;
            let peer = self.namespaces[two.node].handle.as_raw_fd();
            let mut message = Message::new(libc::RTM_NEWLINK, CREATE, &link_header(index(number), 0, 0));
            message.text(libc::IFLA_IFNAME, &one.interface).attribute(libc::IFLA_ADDRESS, &mac(number, 0));
            message.nest(libc::IFLA_LINKINFO, |info| {
                info.attribute(libc::IFLA_INFO_KIND, b"veth").nest(libc::IFLA_INFO_DATA, |data| {
                    data.nest_behind(1, &link_header(index(number), 0, 0), |end| {
                        end.text(libc::IFLA_IFNAME, &two.interface)
                            .attribute(libc::IFLA_ADDRESS, &mac(number, 1))
                            .number(libc::IFLA_NET_NS_FD, peer as u32);
                    });
                });
            });
            self.namespaces[one.node].routes.call(&message)?;
            for (side, end) in link.ends.iter().enumerate() {
                let up = switch_on(index(number), libc::IFF_UP | libc::IFF_NOARP);
                self.namespaces[end.node].routes.call(&up)?;
                self.addresses(spec, number, side).map_err(told("addresses"))?;
            }
        }
        Ok(())
    }

    /// Gives an end its addresses, and permanent entries for those of the other end.
    fn addresses(&mut self, spec: &Spec, number: usize, side: usize) -> Result<()> {
        let ends = &spec.links[number].ends;
        let socket = &mut self.namespaces[ends[side].node].routes;
        let at = index(number).to_ne_bytes();
        for net in &ends[side].addresses {
            const NO_DUPLICATE_DETECTION: u8 = 2;
            let header = [
                family_of(net.addr()),
                net.prefix_len(),
                NO_DUPLICATE_DETECTION,
                0,
                at[0],
                at[1],
                at[2],
                at[3],
            ];
            let mut message = Message::new(libc::RTM_NEWADDR, CREATE, &header);
            socket
                .call(message.address(libc::IFA_LOCAL, net.addr()).address(libc::IFA_ADDRESS, net.addr()))?;
        }
        for net in &ends[1 - side].addresses {
            const PERMANENT: u8 = 0x80;
            let header = [family_of(net.addr()), 0, 0, 0, at[0], at[1], at[2], at[3], PERMANENT, 0, 0, 0];
            let mut message = Message::new(libc::RTM_NEWNEIGH, CREATE, &header);
            socket.call(
                message
                    .address(libc::NDA_DST, net.addr())
                    .attribute(libc::NDA_LLADDR, &mac(number, 1 - side)),
            )?;
        }
        Ok(())
    }

    fn route(&mut self, spec: &Spec, node: usize, route: &RouteSpec) -> Result<()> {
        let kind = match route.action {
            RouteAction::Via(_) | RouteAction::Device(_) => libc::RTN_UNICAST,
            RouteAction::Blackhole => libc::RTN_BLACKHOLE,
            RouteAction::Unreachable => libc::RTN_UNREACHABLE,
            RouteAction::Prohibit => libc::RTN_PROHIBIT,
            RouteAction::Throw => libc::RTN_THROW,
        };
        let on_link = matches!(route.action, RouteAction::Device(_)) && route.to.addr().is_ipv4();
        let scope = if on_link { libc::RT_SCOPE_LINK } else { libc::RT_SCOPE_UNIVERSE };
        let mut header = [0; 12];
        header[..8].copy_from_slice(&[
            family_of(route.to.addr()),
            route.to.prefix_len(),
            0,
            0,
            route.table.min(255) as u8,
            libc::RTPROT_STATIC,
            scope,
            kind,
        ]);
        let mut message = Message::new(libc::RTM_NEWROUTE, CREATE, &header);
        message.address(libc::RTA_DST, route.to.addr()).number(libc::RTA_TABLE, route.table);
        let by = |hop: &IpAddr| -> Result<u32> {
            let near = |end: &(usize, usize)| {
                spec.links[end.0].ends[end.1].addresses.iter().any(|net| net.contains(hop))
            };
            let end = spec.ends_of(node).into_iter().find(near);
            let end = end.ok_or_else(|| Error::other(format!("{hop} is on no line")))?;
            Ok(index(end.0) as u32)
        };
        match &route.action {
            RouteAction::Via(hops) if hops.len() == 1 => {
                message.address(libc::RTA_GATEWAY, hops[0]).number(libc::RTA_OIF, by(&hops[0])?);
            }
            RouteAction::Via(hops) => {
                let mut body = Message::new(0, 0, &[]);
                for hop in hops {
                    let gateway = if hop.is_ipv4() { 8 } else { 20 };
                    let mut one = Vec::from((8 + gateway as u16).to_ne_bytes());
                    one.extend([0, 0]);
                    one.extend(by(hop)?.to_ne_bytes());
                    body.raw(&one).address(libc::RTA_GATEWAY, *hop);
                }
                message.attribute(libc::RTA_MULTIPATH, body.behind_header());
            }
            RouteAction::Device(name) => {
                let end = spec
                    .ends_of(node)
                    .into_iter()
                    .find(|end| spec.links[end.0].ends[end.1].interface == *name);
                message
                    .number(libc::RTA_OIF, index(end.ok_or_else(|| Error::other("no such line"))?.0) as u32);
            }
            RouteAction::Blackhole
            | RouteAction::Unreachable
            | RouteAction::Prohibit
            | RouteAction::Throw => {}
        }
        self.namespaces[node].routes.call(&message)
    }

    fn rule(&mut self, node: usize, rule: &RuleSpec) -> Result<()> {
        const TO_TABLE: u8 = 1;
        const UNREACHABLE: u8 = 7;
        let length = |net: &Option<ipnet::IpNet>| net.map_or(0, |net| net.prefix_len());
        let family = if rule.v6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
        let table = rule.table.unwrap_or(0);
        let action = if rule.table.is_some() { TO_TABLE } else { UNREACHABLE };
        let header =
            [family, length(&rule.to), length(&rule.from), 0, table.min(252) as u8, 0, 0, action, 0, 0, 0, 0];
        let mut message = Message::new(libc::RTM_NEWRULE, CREATE, &header);
        message.number(6, rule.priority);
        if let Some(to) = rule.to {
            message.address(1, to.addr());
        }
        if let Some(from) = rule.from {
            message.address(2, from.addr());
        }
        if let Some(incoming) = &rule.incoming {
            message.text(3, incoming);
        }
        if let Some((mark, mask)) = rule.mark {
            message.number(10, mark);
            message.number(16, mask);
        }
        if rule.table.is_some() {
            message.number(15, table);
        }
        self.namespaces[node].routes.call(&message)
    }

    /// Waits until every line carries. Asking for the carrier makes the kernel notice it at once.
    fn settle(&self, spec: &Spec) -> Result<()> {
        for end in spec.links.iter().flat_map(|link| &link.ends) {
            let carries = sys::settle_link(&self.namespaces[end.node].frames, &end.interface)?;
            if !carries {
                return Err(Error::other(format!("{} has no carrier", end.interface)));
            }
        }
        Ok(())
    }

    /// Sends a packet, as it is.
    pub(crate) fn send(&self, from: From, packet: &Packet, shape: &Shape) -> Result<()> {
        let bytes = encode(packet, shape);
        let v6 = packet.src.is_ipv6();
        match from {
            From::Line { link, to } => {
                let node = self.ends[link][1 - to];
                let ether_type = if v6 { libc::ETH_P_IPV6 } else { libc::ETH_P_IP } as u16;
                sys::send_frame(&self.namespaces[node].frames, index(link), mac(link, to), ether_type, &bytes)
            }
            From::Own(node) => {
                let socket = &self.namespaces[node].raw[usize::from(v6)];
                // The rules of routing look at the address of the socket, not at that in the packet.
                sys::bind(socket, packet.src)?;
                let sent = sys::send_raw(socket, packet.dst, &bytes);
                // The output filter, a route that refuses, and the lack of one are errors of the call.
                let refused =
                    [libc::EPERM, libc::EACCES, libc::EHOSTUNREACH, libc::ENETUNREACH, libc::EINVAL];
                sent.or_else(|e| {
                    if e.raw_os_error().is_some_and(|code| refused.contains(&code)) { Ok(()) } else { Err(e) }
                })
            }
        }
    }

    /// Everything that was seen since the last call, node by node, and at each in the order in which it was seen.
    pub(crate) fn drain(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut buffer = [0_u8; 4096];
        for (node, namespace) in self.namespaces.iter_mut().enumerate() {
            while let Ok(Some(seen)) = sys::receive_frame(&namespace.tap, &mut buffer) {
                let link = seen.interface - FIRST_INDEX;
                let Some(read) = decode(&buffer[..seen.length]) else { continue };
                if link < 0 || is_noise(&read.packet) {
                    continue;
                }
                let what = if seen.outgoing { What::Put(link as usize) } else { What::Heard(link as usize) };
                events.push(Event { node, what, read });
            }
            let logged = |kind: u16, body: &[u8]| {
                const PACKET: u16 = 4 << 8;
                const INCOMING: u16 = 4;
                const PAYLOAD: u16 = 9;
                const LOOPBACK: &[u8] = &[0, 0, 0, 1];
                // What a node sends to itself never leaves it.
                let is_own = kind == PACKET && find_attribute(body, 4, INCOMING) == Some(LOOPBACK);
                let is_packet = kind == PACKET && !is_own;
                let payload = is_packet.then(|| find_attribute(body, 4, PAYLOAD)).flatten();
                if let Some(read) = payload.and_then(decode) {
                    events.push(Event { node, what: What::Delivered, read });
                }
            };
            namespace.delivered.pending(logged).expect("the log of a namespace is lost");
        }
        events
    }

    /// Forgets every connection at a node.
    pub(crate) fn forget(&mut self, node: usize) -> Result<()> {
        const DELETE: u16 = 1 << 8 | 2;
        self.namespaces[node].connections.call(&Message::new(DELETE, 0, &[0, 0, 0, 0]))
    }

    /// Lets a node say nothing of its own any more.
    pub(crate) fn mute(&self, node: usize) -> Result<()> {
        const MUTE: &str =
            "add chain inet oracle mute { type filter hook output priority -400; policy drop; }";
        self.load(node, MUTE)
    }

    /// Loads a text of nftables in a node.
    pub(crate) fn load(&self, node: usize, text: &str) -> Result<()> {
        self.enter(node)?;
        run("nft", &["-f", "-"], Some(text)).map(drop)
    }

    /// The output of a command in a node.
    pub(crate) fn command(&self, node: usize, command: &str, arguments: &[&str]) -> Result<String> {
        self.enter(node)?;
        run(command, arguments, None)
    }
}

/// What hosts say without being asked: reports about multicast groups.
fn is_noise(packet: &Packet) -> bool {
    packet.proto == proto::ICMPV6 && packet.dst.is_multicast() && matches!(packet.icmp_type, 130..=143)
}

/// Runs a command in the namespace of the calling thread.
pub(crate) fn run(command: &str, arguments: &[&str], input: Option<&str>) -> Result<String> {
    let piped = || if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = Command::new(command)
        .args(arguments)
        .stdin(piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(told(command))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(text.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Error::other(format!("{command} {arguments:?}: {errors}{}", input.unwrap_or(""))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
