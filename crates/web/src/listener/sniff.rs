//! Tells which protocol a client speaks from its first bytes.
//!
//! Source: RFC 8446 §5.1 (TLS record types), RFC 9113 §3.4 (HTTP/2 preface).

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;

use super::pace::Protocol;

/// The content type of a TLS record that carries a handshake message.
const TLS_HANDSHAKE: u8 = 0x16;

/// What every HTTP/2 client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether the client starts a TLS handshake. Reads nothing.
///
/// # Errors
///
/// `UnexpectedEof` if the client closes first.
pub(super) async fn speaks_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(first[0] == TLS_HANDSHAKE)
}

/// Reads until the client's bytes are the HTTP/2 preface or cannot become it.
/// Gives back what was read: at most the preface.
///
/// # Errors
///
/// `UnexpectedEof` if the client closes before that.
pub(super) async fn protocol(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Bytes)> {
    let mut read = [0; PREFACE.len()];
    let mut len = 0;
    while len < PREFACE.len() {
        let more = stream.read(&mut read[len..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        len += more;
        if read[..len] != PREFACE[..len] {
            return Ok((Protocol::Http1, Bytes::copy_from_slice(&read[..len])));
        }
    }
    Ok((Protocol::Http2, Bytes::from_static(PREFACE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sniff(mut bytes: &[u8]) -> (Protocol, Bytes, usize) {
        let (protocol, read) = protocol(&mut bytes).await.unwrap();
        (protocol, read, bytes.len())
    }

    #[tokio::test]
    async fn http1_is_known_by_its_first_wrong_byte() {
        let (protocol, read, _) = sniff(b"GET / HTTP/1.1\r\n").await;
        assert_eq!((protocol, read.first()), (Protocol::Http1, Some(&b'G')));
        // A method that begins like the preface.
        assert_eq!(
            sniff(b"PRIORITY / HTTP/1.1\r\n\r\n12345").await.0,
            Protocol::Http1
        );
    }

    #[tokio::test]
    async fn nothing_is_read_beyond_the_preface() {
        let (protocol, read, left) = sniff(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes").await;
        assert_eq!((protocol, &read[..], left), (Protocol::Http2, &PREFACE[..], 6));
    }

    #[tokio::test]
    async fn half_a_preface_is_no_protocol() {
        let error = protocol(&mut &b"PRI * HT"[..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
