//! The few system calls that the standard library lacks. All the `unsafe` of the tests is here.
#![allow(
    unsafe_code,
    reason = "the kernel is called by number and by pointer; each call says why it is sound"
)]

use std::ffi::c_int;
use std::io::{Error, Result};
use std::mem::{size_of, zeroed};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn check(result: c_int) -> Result<c_int> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

pub(crate) fn is_root() -> bool {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Gives a command namespaces of its own: of networks, and for whoever is not root of users too, where it is root then.
pub(crate) fn isolate(command: &mut Command) {
    let root = is_root();
    // SAFETY: both take nothing and cannot fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {user} 1")),
        ("/proc/self/gid_map", format!("0 {group} 1")),
    ];
    let enter = move || {
        let flags = if root { libc::CLONE_NEWNET } else { libc::CLONE_NEWNET | libc::CLONE_NEWUSER };
        // SAFETY: it takes a number and changes the calling process only, which has one thread here.
        check(unsafe { libc::unshare(flags) })?;
        if !root {
            for (path, text) in &maps {
                std::fs::write(path, text)?;
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure calls the kernel and writes three short files; the parent holds no lock of
    // the allocator then, because it starts this one child only and waits for it.
    unsafe { command.pre_exec(enter) };
}

/// A new network namespace for the calling thread.
pub(crate) fn unshare_net() -> Result<()> {
    // SAFETY: it takes a number and changes the calling thread only.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Moves the calling thread to a network namespace.
pub(crate) fn enter_net(namespace: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the descriptor is open as long as it is borrowed.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// A socket that never blocks, in the namespace of the calling thread.
pub(crate) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: it takes three numbers.
    let fd = check(unsafe { libc::socket(domain, kind | flags, protocol) })?;
    // SAFETY: the kernel has just given the descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn set_option(fd: &OwnedFd, level: c_int, name: c_int, value: c_int) -> Result<()> {
    let length = size_of::<c_int>() as libc::socklen_t;
    let pointer = std::ptr::from_ref(&value).cast();
    // SAFETY: the pointer is to a number of the length that is given, and is not kept.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, length) }).map(drop)
}

pub(crate) fn send(fd: &OwnedFd, bytes: &[u8]) -> Result<()> {
    // SAFETY: pointer and length are those of the slice.
    let sent = unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    check(sent as c_int).map(drop)
}

/// Receives what is there; nothing if there is nothing.
pub(crate) fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> Result<Option<usize>> {
    // SAFETY: pointer and length are those of the slice.
    let got = unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    nothing_if_empty(check(got as c_int))
}

fn nothing_if_empty(got: Result<c_int>) -> Result<Option<usize>> {
    match got {
        Ok(length) => Ok(Some(length as usize)),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// A frame as a packet socket sees it.
pub(crate) struct Seen {
    pub(crate) length: usize,
    pub(crate) interface: i32,
    /// Whether this namespace sends it.
    pub(crate) outgoing: bool,
}

/// Receives from a packet socket of datagrams.
pub(crate) fn receive_frame(fd: &OwnedFd, buffer: &mut [u8]) -> Result<Option<Seen>> {
    // SAFETY: an address of all zeros is a valid one.
    let mut from: libc::sockaddr_ll = unsafe { zeroed() };
    let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    let address = std::ptr::from_mut(&mut from).cast();
    let (start, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the buffer and the address are ours, with the lengths that are given.
    let got = unsafe { libc::recvfrom(fd.as_raw_fd(), start, size, 0, address, &mut length) };
    let got = nothing_if_empty(check(got as c_int))?;
    Ok(got.map(|length| Seen {
        length,
        interface: from.sll_ifindex,
        outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
    }))
}

/// Sends a datagram of layer 3 by an interface to an address of layer 2, past every filter and route.
pub(crate) fn send_frame(
    fd: &OwnedFd,
    interface: i32,
    to: [u8; 6],
    ether_type: u16,
    bytes: &[u8],
) -> Result<()> {
    // SAFETY: an address of all zeros is a valid one.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ether_type.to_be();
    address.sll_ifindex = interface;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&to);
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    send_to(fd, bytes, std::ptr::from_ref(&address).cast(), length)
}

/// Calls with an address as the kernel has it, and its length.
fn with_address<T>(address: IpAddr, call: impl FnOnce(*const libc::sockaddr, libc::socklen_t) -> T) -> T {
    match address {
        IpAddr::V4(address) => {
            // SAFETY: an address of all zeros is a valid one.
            let mut socket: libc::sockaddr_in = unsafe { zeroed() };
            socket.sin_family = libc::AF_INET as u16;
            socket.sin_addr.s_addr = u32::from(address).to_be();
            call(std::ptr::from_ref(&socket).cast(), size_of::<libc::sockaddr_in>() as libc::socklen_t)
        }
        IpAddr::V6(address) => {
            // SAFETY: an address of all zeros is a valid one.
            let mut socket: libc::sockaddr_in6 = unsafe { zeroed() };
            socket.sin6_family = libc::AF_INET6 as u16;
            socket.sin6_addr.s6_addr = address.octets();
            call(std::ptr::from_ref(&socket).cast(), size_of::<libc::sockaddr_in6>() as libc::socklen_t)
        }
    }
}

/// Gives a raw socket an own address.
pub(crate) fn bind(fd: &OwnedFd, to: IpAddr) -> Result<()> {
    // SAFETY: the address is of the length that is given, and is not kept.
    with_address(to, |address, length| check(unsafe { libc::bind(fd.as_raw_fd(), address, length) }))
        .map(drop)
}

/// Sends a whole datagram of layer 3 from a raw socket: by the routes and the output filter of the namespace.
pub(crate) fn send_raw(fd: &OwnedFd, to: IpAddr, bytes: &[u8]) -> Result<()> {
    with_address(to, |address, length| send_to(fd, bytes, address, length))
}

fn send_to(fd: &OwnedFd, bytes: &[u8], to: *const libc::sockaddr, length: libc::socklen_t) -> Result<()> {
    let (start, size) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: pointer and length are those of the slice; the callers own the address, of the length that they give.
    let sent = unsafe { libc::sendto(fd.as_raw_fd(), start, size, 0, to, length) };
    check(sent as c_int).map(drop)
}

/// Asks an interface for its carrier, which makes the kernel do now what it would do within a second.
pub(crate) fn settle_link(fd: &OwnedFd, name: &str) -> Result<bool> {
    const ETHTOOL_GLINK: u32 = 10;
    let mut value = [ETHTOOL_GLINK, 0];
    // SAFETY: a request of all zeros is a valid one.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    // SAFETY: the kernel writes two numbers of 32 bits to `value`, which outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCETHTOOL as libc::Ioctl, &mut request) })?;
    Ok(value[1] != 0)
}
