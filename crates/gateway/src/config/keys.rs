//! Every key: one documented field each. The reference and the names of the
//! variables are made from these lines.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::key::{Fallback, Key};
use super::proxy::{NoProxy, ProxyUrl};
use super::reader::{Reader, WrittenValue};
use super::setting::{
    ByteSize, InstanceKeyBytes, LogFilter, LogFormat, Pooler, SchemaName, Setting, TlsMode,
};
use super::smtp::{SenderName, SmtpUrl};
use super::url::{DatabaseUrl, PublicUrl};
use genkan_net::Network;
use genkan_protocol::EmailAddress;
use genkan_web::listener::ForwardedHeader;

/// Declares the keys: for each its struct field, its documentation, its place
/// in [`KEYS`] and how it is read.
macro_rules! settings {
    (
        Config { $( $(#[doc = $root_doc:literal])+ $root_kind:ident $root:ident: $root_type:ty = $root_text:literal; )* }
        $(
            $(#[doc = $section_doc:literal])+
            [$section:ident] $Section:ident {
                $( $(#[doc = $doc:literal])+ $kind:ident $field:ident: $type:ty = $text:literal; )*
            }
        )*
    ) => {
        /// Everything that an operator decides before the first start.
        #[derive(Debug, Clone)]
        pub struct Config {
            $( $(#[doc = $root_doc])+ pub $root: settings!(@type $root_kind $root_type), )*
            $( $(#[doc = $section_doc])+ pub $section: $Section, )*
            /// What was written and where, for [`Config::show`] and for mistakes found later.
            pub(super) written: BTreeMap<&'static str, WrittenValue>,
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone)]
            pub struct $Section {
                $( $(#[doc = $doc])+ pub $field: settings!(@type $kind $type), )*
            }

            impl $Section {
                const KEYS: &'static [Key] = &[
                    $( settings!(@key concat!(stringify!($section), ".", stringify!($field)), [$($doc),+], $kind $type, $text), )*
                ];

                fn read(reader: &mut Reader) -> Option<Self> {
                    let mut keys = Self::KEYS.iter();
                    $( let $field = settings!(@read reader, keys, $kind $type); )*
                    Some(Self { $( $field: $field?, )* })
                }
            }
        )*

        /// The name of a section and what it is about.
        pub(super) const SECTIONS: &[(&str, &[&str], &[Key])] = &[
            ("", &[], Config::ROOT_KEYS),
            $( (stringify!($section), &[$($section_doc),+], $Section::KEYS), )*
        ];

        impl Config {
            const ROOT_KEYS: &'static [Key] = &[
                $( settings!(@key stringify!($root), [$($root_doc),+], $root_kind $root_type, $root_text), )*
            ];

            pub(super) fn read(reader: &mut Reader) -> Option<Self> {
                let mut keys = Self::ROOT_KEYS.iter();
                $( let $root = settings!(@read reader, keys, $root_kind $root_type); )*
                $( let $section = $Section::read(reader); )*
                Some(Self {
                    $( $root: $root?, )*
                    $( $section: $section?, )*
                    written: BTreeMap::new(),
                })
            }
        }
    };

    (@type optional $type:ty) => { Option<$type> };
    (@type $kind:ident $type:ty) => { $type };

    (@key $name:expr, [$($doc:literal),+], $kind:ident $type:ty, $text:literal) => {
        Key {
            name: $name,
            documentation: &[$($doc),+],
            form: <$type as Setting>::FORM,
            expected: <$type as Setting>::EXPECTED,
            fallback: settings!(@fallback $kind $text),
            example: $text,
            redact: <$type as Setting>::redact,
        }
    };

    (@fallback required $text:literal) => { Fallback::Required };
    (@fallback optional $text:literal) => { Fallback::Absent };
    (@fallback default $text:literal) => { Fallback::Text($text) };

    (@read $reader:ident, $keys:ident, optional $type:ty) => {
        $reader.read_optional::<$type>($keys.next().expect("one key for each field"))
    };
    (@read $reader:ident, $keys:ident, $kind:ident $type:ty) => {
        $reader.read::<$type>($keys.next().expect("one key for each field"))
    };
}

settings! {
    Config {
        /// The address where browsers and applications reach this instance: the issuer of every token.
        ///
        /// `https`, without a path and without a trailing slash. Plain `http` is accepted for this
        /// machine only (`localhost`, `127.0.0.1`, `[::1]`). Applications remember it: changing it
        /// later means to configure them again.
        required public_url: PublicUrl = "\"https://auth.example.com\"";

        /// The IP address and port to listen on. Browsers, REST and gRPC share it. A loopback address
        /// brings its twin along (`127.0.0.1` and `[::1]`), for `localhost` may be either.
        default listen: SocketAddr = "127.0.0.1:8080";

        /// The folder for what this instance keeps in files: the embedded database.
        default data_dir: PathBuf = "genkan-data";

        /// The file that holds the instance key, under which signing keys and the secrets of
        /// identity providers are sealed in the database.
        ///
        /// Make it with `genkan keys generate-instance-key --output FILE`, keep a copy apart from the
        /// backups of the database, and let nobody else read it: mode 0600, or 0640 if it belongs to
        /// root. All nodes on one database need the same key.
        optional instance_key_file: PathBuf = "none";

        /// The instance key itself, 32 bytes in base64, in place of a file. Meant for
        /// `GENKAN_INSTANCE_KEY` where a platform hands secrets over as variables.
        optional instance_key: InstanceKeyBytes = "none";
    }

    /// Where the data lives.
    [database] Database {
        /// `sqlite:<path>` for the embedded database on one node, or
        /// `postgres://user:password@host:5432/database` for any number of nodes.
        optional url: DatabaseUrl = "`sqlite:<data_dir>/genkan.db`";

        /// How many connections to PostgreSQL this process keeps at most. 1 to 1000. A quarter of them
        /// is kept for what only reads. About twice the cores of the database server is a good number for
        /// all nodes together: with more of them each sign-in costs it more.
        default pool_size: u32 = "8";

        /// Which pooler stands before PostgreSQL: `"transaction"` if each transaction may meet another server
        /// process, as behind PgBouncer in transaction mode; `"none"`; or `"auto"`, and the first
        /// connection tells.
        default pooler: Pooler = "auto";

        /// The schema that holds the tables, if it is another than the first of the role's
        /// `search_path`. It must exist; the role needs to own nothing else.
        optional schema: SchemaName = "none";
    }

    /// How this instance is reached by https.
    [tls] Tls {
        /// Who ends TLS: `"files"` is this process, with the certificate and key below;
        /// `"proxy"` is a reverse proxy in front, which speaks plain HTTP/1.1 or h2c to it.
        default mode: TlsMode = "proxy";

        /// The certificate, first the server's own and then its intermediates, PEM. When the file
        /// changes it is read again, without a restart.
        optional certificate_file: PathBuf = "none";

        /// The private key of the certificate, PEM.
        optional key_file: PathBuf = "none";
    }

    /// The reverse proxy in front, if there is one.
    [proxy] Proxy {
        /// The addresses or networks of reverse proxies. What they say about a client's address
        /// is believed; from anywhere else a client could choose the address that limits and
        /// events see.
        default trusted_networks: Vec<Network> = "";

        /// The header in which they say it: `"x-forwarded-for"` or `"forwarded"` (RFC 7239). One
        /// only, because a proxy hands on unchanged what a client wrote into the other.
        default header: ForwardedHeader = "x-forwarded-for";
    }

    /// What clients may take of this process. Each stage of a connection has a limit.
    [limits] Limits {
        /// How many connections may be open at once; more are closed. Lowered at start to what
        /// the limit of open files allows. 16 to 1000000.
        default connections: u32 = "10000";

        /// How many connections one client may have open: an IPv4 address, or an IPv6 /64. `0` is
        /// without a limit. Behind a proxy all connections come from the proxy, so there it is
        /// not for use.
        optional connections_per_client: u32 = "`1000` where `tls.mode` is `\"files\"` and no proxy is trusted, else `0`";

        /// How long a new connection may take to show its protocol, the TLS handshake included.
        default greeting_timeout: Duration = "10s";

        /// How long the head of a request may take to arrive.
        default head_timeout: Duration = "15s";

        /// How long the body of a request may take to arrive.
        default body_timeout: Duration = "60s";

        /// How long a request may take until its answer begins. Longer than
        /// `limits.body_timeout`.
        default answer_timeout: Duration = "90s";

        /// How large the body of a request may be. 4KiB to 64MiB.
        default body_size: ByteSize = "2MiB";

        /// How many bytes of request bodies this process holds at once; one client may hold an
        /// eighth. What is beyond is answered with 503. `0B` is without a limit, otherwise 64MiB
        /// to 65536MiB.
        default bodies_in_flight: ByteSize = "256MiB";

        /// How much one client (an IPv4 address, or an IPv6 /64) may ask for in a minute before
        /// anybody is known: pages of a sign-in count as 1, beginning one, leaving for an identity
        /// provider or coming back from it as 4 more, a wrong guess as 20 more. A sign-in comes
        /// to about 20, so 200 people behind one address can sign in within a minute. `0` is
        /// without a limit. Each node counts for itself; what is begun also counts at all nodes
        /// on one database together.
        default anonymous_per_minute: u32 = "6000";

        /// How many requests of one client with a wrong secret, code or token are answered in a
        /// minute; right ones are not counted and never refused. `0` is without a limit.
        default wrong_credentials_per_minute: u32 = "600";

        /// How many codes that its provider does not accept are tried in a minute for one
        /// connection; half of them for one client. Anybody can make codes up, and a provider that
        /// counts failures could lock your customer out. `0` is without a limit.
        default failed_answers_per_minute: u32 = "60";

        /// How long the server takes connections and requests after the signal to stop, while `/readyz` says 503:
        /// long enough for a load balancer to notice and to send nothing more. 0s in `genkan dev`.
        default drain_delay: Duration = "5s";

        /// How long requests under way may still take after that.
        default shutdown_timeout: Duration = "25s";
    }

    /// What a domain of an organization needs before its identity provider may speak for it.
    [domains] Domains {
        /// Whether every domain waits for its TXT record, also one that comes with the credentials of
        /// the management API or from the command line. Otherwise such a domain is active at once, on
        /// the word of whoever gives it; turn this on if your customers can enter domains through your
        /// application.
        default require_proof: bool = "false";
    }

    /// The management API.
    [api] Api {
        /// How many calls a minute one client may make, by gRPC and REST together; a sixth of
        /// them at once. `0` is without a limit. Each node counts for itself.
        default requests_per_minute: u32 = "12000";

        /// Whether `ValidateToken` takes the identifier of an API token (`apit_…`) for the token
        /// itself. An identifier is no secret: lists, events and logs show it, and it can be guessed.
        /// An application that asks with whatever its callers present would then let in anybody who
        /// knows one. `genkan dev` has it on, as the service whose SDKs these are.
        default validate_tokens_by_identifier: bool = "false";
    }

    /// What is asked of every application.
    [applications] Applications {
        /// Whether every application must use PKCE (RFC 7636), also those with a secret
        /// (RFC 9700 §2.1.1 advises it). Off, because libraries of some frameworks do not send it;
        /// single-page and native applications always must.
        /// `genkan app update APP --enforce-pkce` asks it of one.
        default require_pkce: bool = "false";
    }

    /// Calls that this instance makes itself: to identity providers, and to applications that
    /// want to hear of a logout.
    [outbound] Outbound {
        /// Whether such calls may go to private, loopback and link-local addresses. Whoever may
        /// create a connection could then look around in your network; turn it on only where an
        /// identity provider lives inside it.
        default allow_private_addresses: bool = "false";

        /// Certificate authorities to trust beside the public ones, PEM.
        optional ca_file: PathBuf = "none";

        /// The proxy through which such calls go: `http://proxy.example.com:3128`, or with
        /// `user:password@` before the host, percent-encoded and better in `GENKAN_OUTBOUND_PROXY`.
        /// `HTTPS_PROXY` and its like are not read. Mail and look-ups in DNS do not go through it.
        ///
        /// The proxy resolves the names of others, so it is the proxy that must refuse those of your
        /// own network; what is private by its very name or number is refused here.
        optional proxy: ProxyUrl = "none";

        /// Hosts that are reached without the proxy: names, each with the names below it, addresses and
        /// networks (which stand for hosts that are written as an address). `genkan dev` reaches this
        /// machine without it in any case.
        default no_proxy: Vec<NoProxy> = "";
    }

    /// How this instance sends mail: sign-in codes, invitations. Without a mail server everything
    /// that needs mail is refused; `genkan dev` then keeps mail in an inbox at `/dev/mail`.
    [mail] Mail {
        /// The mail server: `smtps://user:password@host` for TLS from the first byte (port 465), or
        /// `smtp://user:password@host` for a server that must offer STARTTLS (port 587). On this
        /// machine `smtp://localhost:25` speaks in the clear, unless `?tls=starttls` follows, and so does
        /// `smtp://host:25?tls=none`, which takes no password. Special characters of the user and
        /// the password are percent-encoded.
        optional smtp_url: SmtpUrl = "none";

        /// A file that holds the password, in place of the one in `mail.smtp_url`: one line,
        /// readable by its owner only.
        optional smtp_password_file: PathBuf = "none";

        /// The address that mail comes from. Your mail server must be allowed to send for its domain
        /// (SPF, DKIM).
        optional from: EmailAddress = "none";

        /// The name beside that address.
        default from_name: SenderName = "Genkan";
    }

    /// How long things are kept that somebody may want to look at later. What is older is deleted in small
    /// steps, and takes its place on the disk no longer. What a decision still needs is kept for as long,
    /// whatever is written here: see the table in the [guide](../guides/operate.md#how-long-things-are-kept).
    [retention] Retention {
        /// Events of changes: people, memberships, roles, organizations, connections, applications,
        /// credentials. 7d to 3650d.
        default events: Duration = "400d";

        /// Events of sign-ins and sign-outs, of sessions that end, of failures and refusals. 7d to 3650d,
        /// and not longer than `retention.events`.
        default activity_events: Duration = "90d";

        /// Events of single tokens, which are the most by far: each refresh is one. 1d to 3650d, and not
        /// longer than `retention.events`.
        default token_events: Duration = "30d";

        /// The log of sign-ins. 1d to 3650d.
        default sign_in_log: Duration = "90d";

        /// The traces that explain failed sign-ins (`err_…`). 1d to 3650d.
        default failed_sign_ins: Duration = "30d";

        /// Sessions that ended, with the address of the browser. 1h to 3650d.
        default ended_sessions: Duration = "30d";

        /// Authorization codes that were redeemed or have expired. A code that is presented again within
        /// this time is noticed, and what it was redeemed for is revoked (RFC 6749 §4.1.2); later it is only
        /// refused. 1h to 30d.
        default codes: Duration = "1d";
    }

    /// What is written to standard error.
    [log] Log {
        /// `"text"` for people, `"json"` for log collectors: one object in each line.
        default format: LogFormat = "text";

        /// One of `error`, `warn`, `info`, `debug`, `trace`, or filters by target such as
        /// `"info,genkan::login=debug"`. Secrets and tokens are not logged at any level.
        default level: LogFilter = "info";
    }

    /// How long people stay signed in. These set up the environment at the first start;
    /// later they have no effect.
    [session] Session {
        /// A session ends this long after the sign-in. 1m to 365d.
        default absolute_timeout: Duration = "30d";

        /// A session ends when nothing has used it for this long. 1m to 7d, and not longer than
        /// `session.absolute_timeout`.
        default idle_timeout: Duration = "7d";
    }

    /// How long tokens are valid. These set up the environment at the first start; later they
    /// have no effect.
    [tokens] Tokens {
        /// Of an access token of a user. 1s to 30d, and shorter than `session.idle_timeout`.
        /// A token outlives the end of its session by this long at most.
        default access_token_lifetime: Duration = "5m";

        /// Of an access token that an application fetched for itself. 1s to 30d.
        default client_access_token_lifetime: Duration = "1d";
    }
}

/// All keys, in the order of the reference.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|(_, _, keys)| keys.iter())
}
