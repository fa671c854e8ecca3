//! Tells a server from a pooler in front of it.
//!
//! A pooler, such as PgBouncer in transaction mode, may run each transaction in another server process. A
//! setting of the session, or a statement with a name, would then be left to the next client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::Client;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// What a client sends to ask for TLS (PostgreSQL's protocol, `SSLRequest`).
const SSL_REQUEST: [u8; 4] = 80_877_103_i32.to_be_bytes();

/// The number of the process that the server named when the connection was opened.
///
/// A server names the process that serves the connection. A pooler has no process yet, and makes up a
/// number. The driver keeps the number for requests to cancel a statement, and offers no other access. So
/// it writes such a request here, which is parsed and sent to nobody.
pub(super) async fn named_process(client: &Client) -> io::Result<i32> {
    let token = client.cancel_token();
    let (ours, mut theirs) = tokio::io::duplex(64);
    let read = async {
        let mut header = [0_u8; 8];
        theirs.read_exact(&mut header).await?;
        if header[4..] == SSL_REQUEST {
            theirs.write_all(b"S").await?;
            theirs.read_exact(&mut header).await?;
        }
        theirs.read_i32().await
    };
    let (_, process) = tokio::join!(token.cancel_query_raw(ours, Plain), read);
    process
}

/// A stand-in for TLS within this process: it leaves the stream as it is.
struct Plain;

impl TlsConnect<DuplexStream> for Plain {
    type Stream = PlainStream;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<PlainStream>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        std::future::ready(Ok(PlainStream(stream)))
    }
}

struct PlainStream(DuplexStream);

impl TlsStream for PlainStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
