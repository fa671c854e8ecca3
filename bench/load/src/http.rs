//! As little HTTP/1.1 as keeps the load generator out of the figures: one
//! connection, one request at a time, answers with a Content-Length.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, where it lies in the connection's buffer.
pub struct Answer<'a> {
    pub status: u16,
    head: &'a str,
    body: &'a [u8],
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends a request and reads its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_end = loop {
            self.more().await?;
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let length: usize = match header(std::str::from_utf8(&self.buffer[..head_end])?, "content-length") {
            Some(length) => length.parse()?,
            None => 0,
        };
        while self.buffer.len() < head_end + length {
            self.more().await?;
        }
        let head = std::str::from_utf8(&self.buffer[..head_end])?;
        if header(head, "transfer-encoding").is_some() {
            return Err("the answer is chunked, which is not supported".into());
        }
        let status = head.get(9..12).unwrap_or_default().parse()?;
        let body = &self.buffer[head_end..];
        Ok(Answer { status, head, body })
    }

    async fn more(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(())
    }
}

impl<'a> Answer<'a> {
    pub fn expect(self, status: u16) -> Result<Self, Failure> {
        if self.status == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(self.body);
        Err(format!(
            "{status} was expected, {} came:\n{}{body}",
            self.status, self.head
        )
        .into())
    }

    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }

    /// `Cookie` pairs of all `Set-Cookie` lines.
    pub fn cookies(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        lines(self.head)
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .filter_map(|(_, value)| value.split(';').next()?.trim().split_once('='))
    }

    /// The text of a member of a flat JSON body. Parsing it whole would cost
    /// the load generator more than the request did.
    pub fn member(&self, name: &str) -> Result<&'a str, Failure> {
        let body = std::str::from_utf8(self.body)?;
        let key = format!("\"{name}\":\"");
        let found = body
            .find(&key)
            .and_then(|at| body[at + key.len()..].split('"').next());
        Ok(found.ok_or_else(|| format!("no {name} in {body}"))?)
    }
}

fn lines(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    lines(head)
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A GET request; `cookie` may be empty.
pub fn get(host: &str, path: &str, cookie: &str) -> Vec<u8> {
    let cookie = if cookie.is_empty() {
        String::new()
    } else {
        format!("cookie: {cookie}\r\n")
    };
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{cookie}\r\n").into_bytes()
}

/// A POST request with a form.
pub fn post(host: &str, path: &str, form: &str) -> Vec<u8> {
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// Percent-encodes a form or query value.
pub fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Reads what [`encode`] wrote.
pub fn decode(value: &str) -> Result<String, Failure> {
    let mut parts = value.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or("a percent sign without digits")?;
        decoded.push(u8::from_str_radix(digits, 16)?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    Ok(String::from_utf8(decoded)?)
}
