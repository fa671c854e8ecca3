//! The messages between the host and the jail's inner side.
//!
//! One socket pair, the standard input of the inner side, carries everything. The
//! settings with the plugin's secrets go in; the sockets of the new network
//! namespace and the result come out. Nothing is in argv.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// File descriptors in one message: three sockets and one listener per port.
pub(super) const MOST_FDS: usize = 3 + super::MOST_PORTS;

/// More than the largest argument and environment that the kernel takes.
const LONGEST_SETTINGS: usize = 8 << 20;

/// The tag before the sockets of the network namespace.
pub(super) const SOCKETS: u8 = b'S';

/// The tag that the plugin's process sends before it becomes the plugin; the kernel adds
/// its process number.
pub(super) const PLUGIN: u8 = b'P';

/// The tag before the report, which ends the conversation.
pub(super) const REPORT: u8 = b'R';

/// Everything the inner side needs to know.
#[derive(Serialize, Deserialize)]
pub(super) struct Settings {
    /// Program and arguments, as paths inside.
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Its standard input, which is empty otherwise.
    pub(super) input: Option<String>,
    /// The path of the artifact, and whether it is a program.
    pub(super) artifact: String,
    pub(super) artifact_bytes: u64,
    /// Files of the machine that are shown, read-only.
    pub(super) binds: Vec<Bind>,
    /// Small files that are written: path, content.
    pub(super) files: Vec<(String, String)>,
    /// Paths inside that may be executed: the program and its loader.
    pub(super) executables: Vec<String>,
    /// The TCP ports that are granted.
    pub(super) ports: Vec<u16>,
    pub(super) cpu_seconds: u64,
    pub(super) data_bytes: u64,
}

/// One file of the machine and where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bind {
    pub(super) source: String,
    pub(super) target: String,
}

/// How it ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The jail could not be built; the plugin did not run.
    Failed { step: Step, error: String },
    Ended {
        /// Absent when a signal ended it.
        exit: Option<i32>,
        signal: Option<i32>,
        cpu_micros: u64,
        /// Most memory it had resident.
        memory_bytes: u64,
    },
}

/// A part of building the jail, so that its failure can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    Settings,
    Privileges,
    UserNamespace,
    Namespaces,
    Network,
    Files,
    Limits,
    Landlock,
    Seccomp,
    Execute,
}

/// Sends one byte with file descriptors beside it.
pub(super) fn send_fds(socket: BorrowedFd<'_>, tag: u8, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if fds.len() > MOST_FDS || !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many file descriptors"));
    }
    let sent = sendmsg(socket, &[IoSlice::new(&[tag])], &mut control, SendFlags::NOSIGNAL)?;
    if sent == 1 {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// One byte, and the descriptors and sender that came with it.
pub(super) struct Message {
    pub(super) tag: u8,
    pub(super) fds: Vec<OwnedFd>,
    /// The sender, if the socket asks for it.
    pub(super) sender: Option<Pid>,
}

/// Receives one byte and its descriptors; `None` at the end.
pub(super) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Message>> {
    let mut tag = [0_u8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut tag)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut fds = Vec::new();
    let mut sender = None;
    for part in control.drain() {
        match part {
            RecvAncillaryMessage::ScmRights(received) => fds.extend(received),
            RecvAncillaryMessage::ScmCredentials(credentials) => sender = Some(credentials.pid),
            _ => {}
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other("too many file descriptors"));
    }
    Ok((message.bytes == 1).then_some(Message {
        tag: tag[0],
        fds,
        sender,
    }))
}

/// The settings, encoded for the socket; the caller wipes them.
pub(super) fn encode(settings: &Settings) -> io::Result<Vec<u8>> {
    let body = zeroize::Zeroizing::new(serde_json::to_vec(settings)?);
    if body.len() > LONGEST_SETTINGS {
        return Err(io::Error::other("the call is too large"));
    }
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    // Once, without growing: a vector that moves leaves its old bytes behind.
    let mut out = Vec::with_capacity(4 + body.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// Reads the artifact's file and the settings, on the inner side.
pub(super) fn receive_settings(mut control: &UnixStream) -> io::Result<(OwnedFd, Settings)> {
    let mut message = receive(control.as_fd())?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let artifact = message.fds.pop().ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut length = [0; 4];
    control.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST_SETTINGS {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = zeroize::Zeroizing::new(vec![0; length]);
    control.read_exact(&mut body)?;
    Ok((artifact, serde_json::from_slice(&body)?))
}

/// Sends the report, on the inner side.
pub(super) fn send_report(mut control: &UnixStream, report: &Report) -> io::Result<()> {
    let mut line = vec![REPORT];
    serde_json::to_writer(&mut line, report)?;
    line.push(b'\n');
    control.write_all(&line)
}
