//! The one message of a unary call, taken out of its frame.
//!
//! Source: gRPC over HTTP2, "Length-Prefixed-Message". Compressed messages are
//! decompressed here and not in tonic, because here a limit applies.

use std::io::Read;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tonic::body::Body;

use crate::Error;

/// The longest message, unpacked or not.
pub(crate) const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Flag and length before a message.
const PREFIX: usize = 5;

/// A received message, compressed or not.
#[derive(Debug)]
pub(crate) struct MessageFrame {
    bytes: Bytes,
    is_compressed: bool,
}

impl MessageFrame {
    /// How many bytes it may have after decompression.
    pub(crate) const fn len(&self) -> usize {
        if self.is_compressed {
            MAX_MESSAGE
        } else {
            self.bytes.len()
        }
    }

    /// The message itself.
    pub(crate) fn unpack(self) -> Result<Bytes, Error> {
        if self.is_compressed {
            unpack(&self.bytes)
        } else {
            Ok(self.bytes)
        }
    }
}

/// Reads the message of a request.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<MessageFrame, Error> {
    let collected = Limited::new(body, MAX_MESSAGE + PREFIX).collect().await;
    let bytes = match collected {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_) => return Err(broken("the request ended early")),
    };
    let Some((prefix, message)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(broken("the request holds no message"));
    };
    let [flag, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Err(too_large());
    }
    match message.len() {
        found if found < length => return Err(broken("the message is shorter than its frame says")),
        found if found > length => return Err(broken("a call of this method has one message")),
        _ => {}
    }
    let encoding = headers.get("grpc-encoding").map(http::HeaderValue::as_bytes);
    let is_compressed = match flag {
        0 => false,
        1 if encoding == Some(b"gzip") => true,
        1 => {
            return Err(Error::unimplemented(
                "messages may be compressed with gzip, named in grpc-encoding",
            ));
        }
        _ => return Err(broken("the frame has an unknown flag")),
    };
    Ok(MessageFrame {
        bytes: bytes.slice(PREFIX..),
        is_compressed,
    })
}

fn unpack(packed: &[u8]) -> Result<Bytes, Error> {
    let limit = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX) + 1;
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut message)
        .map_err(|_| broken("the message is not gzip"))?;
    if message.len() > MAX_MESSAGE {
        return Err(too_large());
    }
    Ok(message.into())
}

/// The frame of a message that is not compressed.
pub(crate) fn write(message: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a message is at most 4 MiB long"));
    frame.put_slice(message);
    frame.freeze()
}

fn broken(sentence: &str) -> Error {
    Error::invalid("", sentence)
}

fn too_large() -> Error {
    Error::too_large("a message may have 4 MiB at most")
}
