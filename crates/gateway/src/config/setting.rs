//! The types of settings. Each knows its form, and the message if a value is wrong.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use genkan_net::Network;
use genkan_web::listener::ForwardedHeader;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use zeroize::Zeroizing;

/// The form of a value in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Number,
    Boolean,
    /// A TOML array of texts. In a variable, commas separate the items.
    List,
}

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    const FORM: Form = Form::Text;
    /// The form of a value, as text to put after "must be".
    const EXPECTED: &'static str;
    /// Parses one value. A list is passed item by item.
    ///
    /// The error is a remedy: a sentence that says what to write.
    fn parse(items: &[String]) -> Result<Self, String>;

    /// The value as it may be shown, without secrets.
    fn redact(item: &str) -> String {
        item.to_owned()
    }
}

/// The replacement for a secret in messages.
pub(super) const HIDDEN: &str = "***";

/// The only item of a setting that is no list.
pub(super) fn single(items: &[String]) -> &str {
    items.first().map_or("", String::as_str)
}

impl Setting for bool {
    const FORM: Form = Form::Boolean;
    const EXPECTED: &'static str = "true or false";

    fn parse(items: &[String]) -> Result<Self, String> {
        single(items)
            .parse()
            .map_err(|_| "Write true or false.".to_owned())
    }
}

impl Setting for u32 {
    const FORM: Form = Form::Number;
    const EXPECTED: &'static str = "a whole number";

    fn parse(items: &[String]) -> Result<Self, String> {
        single(items)
            .parse()
            .map_err(|_| format!("Write a whole number from 0 to {}, without quotes.", u32::MAX))
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(items: &[String]) -> Result<Self, String> {
        match single(items) {
            "" => Err("Write a path; a relative one starts at the configuration file's folder.".to_owned()),
            path => Ok(path.into()),
        }
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an IP address and a port";

    fn parse(items: &[String]) -> Result<Self, String> {
        single(items).parse().map_err(|_| {
            "Write for example \"127.0.0.1:8080\", \"0.0.0.0:443\" for every IPv4 address, \
             or \"[::]:443\" for every address."
                .to_owned()
        })
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration";

    fn parse(items: &[String]) -> Result<Self, String> {
        parse_duration(single(items)).ok_or_else(|| {
            "Write a whole number and a unit, one of ms, s, m, h, d: for example \"30s\" or \"12h\"."
                .to_owned()
        })
    }
}

/// Reads `30s`, `12h` or `7d`: a whole number and a unit.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_start);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl Setting for ByteSize {
    const EXPECTED: &'static str = "a size";

    fn parse(items: &[String]) -> Result<Self, String> {
        parse_size(single(items)).map(Self).ok_or_else(|| {
            "Write a whole number and a unit, one of B, KiB, MiB: for example \"1MiB\".".to_owned()
        })
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_start);
    let number: u64 = number.parse().ok()?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.checked_mul(bytes)
}

impl Setting for Vec<Network> {
    const FORM: Form = Form::List;
    const EXPECTED: &'static str = "a list of networks";

    fn parse(items: &[String]) -> Result<Self, String> {
        let network = |item: &String| {
            item.parse().map_err(|_| {
                format!("Write \"{item}\" as an address or a network such as \"10.0.0.0/8\" or \"fd00::/8\".")
            })
        };
        items.iter().map(network).collect()
    }
}

/// The 32 bytes of the key that seals secrets in the database.
#[derive(Clone, PartialEq, Eq)]
pub struct InstanceKeyBytes(Zeroizing<[u8; 32]>);

impl InstanceKeyBytes {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads base64, as [`Self::to_base64`] writes it.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text).ok()?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self::new(bytes))
    }

    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for InstanceKeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstanceKeyBytes(***)")
    }
}

impl Setting for InstanceKeyBytes {
    const EXPECTED: &'static str = "32 bytes in base64";

    fn parse(items: &[String]) -> Result<Self, String> {
        Self::from_base64(single(items)).ok_or_else(|| {
            "Make one with `genkan keys generate-instance-key`; a key that was in use before must be the \
             same again, or nothing sealed with it can be read."
                .to_owned()
        })
    }

    fn redact(_item: &str) -> String {
        HIDDEN.to_owned()
    }
}

/// The log messages that are written, as directives of `tracing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for LogFilter {
    const EXPECTED: &'static str = "a level or a list of filters";

    fn parse(items: &[String]) -> Result<Self, String> {
        let text = single(items);
        // A single word that is no level would be taken for a target.
        let is_lone_word = |part: &str| !part.contains('=') && part.parse::<LevelFilter>().is_err();
        match EnvFilter::builder().parse(text) {
            Ok(_) if !text.split(',').any(is_lone_word) => Ok(Self(text.to_owned())),
            _ => Err(
                "Write one of error, warn, info, debug, trace, or filters such as \
                      \"info,genkan::login=debug\"."
                    .to_owned(),
            ),
        }
    }
}

/// Where TLS is terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// This process, with a certificate and a key from files.
    Files,
    /// A reverse proxy in front of it, which sends plain HTTP to this process.
    Proxy,
}

/// The format of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object in each line, for log collectors.
    Json,
}

/// The pooler in front of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooler {
    /// The first connection finds out.
    Auto,
    None,
    /// Each transaction may run in another server process.
    Transaction,
}

impl Pooler {
    /// The value that the engine reads from the URL.
    pub(super) fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::None => Some("none"),
            Self::Transaction => Some("transaction"),
        }
    }
}

impl Setting for Pooler {
    const EXPECTED: &'static str = "\"auto\", \"none\" or \"transaction\"";

    fn parse(items: &[String]) -> Result<Self, String> {
        match single(items) {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "transaction" => Ok(Self::Transaction),
            _ => Err(format!("Write {}.", Self::EXPECTED)),
        }
    }
}

/// The name of a schema in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaName(pub(super) String);

impl Setting for SchemaName {
    const EXPECTED: &'static str = "the name of a schema";

    fn parse(items: &[String]) -> Result<Self, String> {
        let name = single(items);
        // PostgreSQL cuts a longer name.
        if name.is_empty() || name.len() > 63 || name.contains('\0') {
            return Err("Write the name of one schema, of at most 63 bytes.".to_owned());
        }
        Ok(Self(name.to_owned()))
    }
}

/// Makes a setting of a closed set of two words.
macro_rules! words {
    ($($name:ident { $first:ident = $first_word:literal, $second:ident = $second_word:literal })*) => {$(
        impl Setting for $name {
            const EXPECTED: &'static str = concat!("\"", $first_word, "\" or \"", $second_word, "\"");

            fn parse(items: &[String]) -> Result<Self, String> {
                match single(items) {
                    $first_word => Ok(Self::$first),
                    $second_word => Ok(Self::$second),
                    _ => Err(format!("Write {}.", Self::EXPECTED)),
                }
            }
        }
    )*};
}

words! {
    TlsMode { Files = "files", Proxy = "proxy" }
    LogFormat { Text = "text", Json = "json" }
    ForwardedHeader { XForwardedFor = "x-forwarded-for", Forwarded = "forwarded" }
}
