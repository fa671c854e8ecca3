//! The network namespace: one loopback device to which every address leads.
//!
//! Nothing leaves it. The host answers, through sockets that are made here and
//! handed over: DNS on 127.0.0.1:53, and a listener per granted port. Two more
//! sockets see every other packet, so the host also knows of attempts at other
//! addresses and ports.
//!
//! Source: rtnetlink(7), packet(7).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, eth, listen, recv, sendto,
    socket_with,
};

/// The first device of every network namespace is `lo`.
const LOOPBACK: u32 = 1;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const IFF_UP: u32 = 1;
const RTA_OIF: u16 = 4;
const RT_TABLE_LOCAL: u8 = 255;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_HOST: u8 = 254;
const RTN_LOCAL: u8 = 2;

/// Brings the loopback device up and makes the sockets: DNS, packets of IPv4
/// and of IPv6, then a listener per port.
pub(super) fn set_up(ports: &[u16]) -> io::Result<Vec<OwnedFd>> {
    let route = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is number zero.
        None,
    )?;
    // struct ifinfomsg: family, pad, type, index, flags, change.
    let mut link = vec![0, 0, 0, 0];
    for word in [LOOPBACK, IFF_UP, IFF_UP] {
        link.extend_from_slice(&word.to_ne_bytes());
    }
    request(&route, RTM_NEWLINK, 0, &link)?;
    local_route(&route, AddressFamily::INET)?;
    // A machine without IPv6 needs no such route.
    if let Err(error) = local_route(&route, AddressFamily::INET6) {
        let absent = [libc::EAFNOSUPPORT, libc::EOPNOTSUPP, libc::EACCES];
        if !error.raw_os_error().is_some_and(|code| absent.contains(&code)) {
            return Err(error);
        }
    }

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let dns = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    bind(&dns, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 53))?;
    let packets = |protocol| socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, Some(protocol));
    let mut sockets = vec![dns, packets(eth::IP)?, packets(eth::IPV6)?];
    for &port in ports {
        sockets.push(listener(port)?);
    }
    Ok(sockets)
}

fn listener(port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
    listen(&socket, 128)?;
    Ok(socket)
}

/// `ip route add local default dev lo`: every address is this machine's own.
fn local_route(route: &OwnedFd, family: AddressFamily) -> io::Result<()> {
    let family = u8::try_from(family.as_raw()).map_err(io::Error::other)?;
    // struct rtmsg: family, lengths of destination and source, type of service,
    // table, protocol, scope, type, flags; then the device.
    let scope = if family == 2 { RT_SCOPE_HOST } else { 0 };
    let mut body = vec![family, 0, 0, 0, RT_TABLE_LOCAL, RTPROT_STATIC, scope, RTN_LOCAL];
    body.extend_from_slice(&0_u32.to_ne_bytes());
    body.extend_from_slice(&8_u16.to_ne_bytes());
    body.extend_from_slice(&RTA_OIF.to_ne_bytes());
    body.extend_from_slice(&LOOPBACK.to_ne_bytes());
    request(route, RTM_NEWROUTE, NLM_F_CREATE, &body)
}

/// Sends one request to the kernel and reads its answer.
fn request(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(16 + body.len()).map_err(io::Error::other)?;
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(body);
    sendto(
        socket,
        &message,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut answer = [0_u8; 1024];
    let (count, _) = recv(socket, &mut answer[..], RecvFlags::empty())?;
    // struct nlmsghdr, then the error number, zero for none.
    if count < 20 || answer[4..6] != NLMSG_ERROR.to_ne_bytes() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let code = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}
