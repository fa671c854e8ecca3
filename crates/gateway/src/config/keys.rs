//! Every key, as a field with documentation. The reference and the names of the environment variables are
//! made from these lines.

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

/// Declares the keys. For each it makes a field, its documentation, its place in [`KEYS`] and the code that
/// reads it.
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
        /// Everything that an operator configures before the first start.
        #[derive(Debug, Clone)]
        pub struct Config {
            $( $(#[doc = $root_doc])+ pub $root: settings!(@type $root_kind $root_type), )*
            $( $(#[doc = $section_doc])+ pub $section: $Section, )*
            /// The values and their places, for [`Config::show`] and for mistakes that are found later.
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

        /// The name of a section and its documentation.
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
        /// `https`, without a path and without a trailing slash. Plain `http` is accepted only for this
        /// machine (`localhost`, `127.0.0.1`, `[::1]`). Applications store this address. If you change it
        /// later, you must configure them again.
        required public_url: PublicUrl = "\"https://auth.example.com\"";

        /// The IP address and port to listen on. Browsers, REST and gRPC share it. With a loopback address
        /// Genkan listens on both of them (`127.0.0.1` and `[::1]`), because `localhost` may mean either.
        default listen: SocketAddr = "127.0.0.1:8080";

        /// The folder for the files of this instance, such as the SQLite database.
        default data_dir: PathBuf = "genkan-data";

        /// The file that holds the instance key. The key encrypts signing keys and the secrets of identity
        /// providers in the database.
        ///
        /// Make it with `genkan keys generate-instance-key --output FILE`. Keep a copy apart from the
        /// backups of the database, and let nobody else read it: mode 0600, or 0640 if it belongs to root.
        /// All nodes on one database need the same key.
        optional instance_key_file: PathBuf = "none";

        /// The instance key itself, 32 bytes in base64, instead of a file. It is meant for
        /// `GENKAN_INSTANCE_KEY`, if your platform provides secrets as environment variables.
        optional instance_key: InstanceKeyBytes = "none";
    }

    /// The database.
    [database] Database {
        /// `sqlite:<path>` for the embedded database on one node, or
        /// `postgres://user:password@host:5432/database` for any number of nodes.
        optional url: DatabaseUrl = "`sqlite:<data_dir>/genkan.db`";

        /// The most connections to PostgreSQL of this process. 1 to 1000. A quarter of them is reserved for
        /// reads. For all nodes together, about twice the cores of the database server is a good number:
        /// with more connections, each sign-in costs the server more.
        default pool_size: u32 = "8";

        /// The pooler in front of PostgreSQL: `"transaction"` if each transaction may run in another server
        /// process, as behind PgBouncer in transaction mode; `"none"`; or `"auto"`, and the first
        /// connection finds out.
        default pooler: Pooler = "auto";

        /// The schema of the tables, if it is not the first one in the role's `search_path`. It must exist.
        /// The role needs to own nothing else.
        optional schema: SchemaName = "none";
    }

    /// TLS of the public address.
    [tls] Tls {
        /// Where TLS is terminated: `"files"` in this process, with the certificate and key below;
        /// `"proxy"` in a reverse proxy, which sends plain HTTP/1.1 or h2c to this process.
        default mode: TlsMode = "proxy";

        /// The certificate, first the server's own and then its intermediates, PEM. If the file changes, it
        /// is read again without a restart.
        optional certificate_file: PathBuf = "none";

        /// The private key of the certificate, PEM.
        optional key_file: PathBuf = "none";
    }

    /// The reverse proxy in front, if there is one.
    [proxy] Proxy {
        /// The addresses or networks of reverse proxies. Genkan believes only these about a client's
        /// address. Otherwise a client could choose the address that limits and events see.
        default trusted_networks: Vec<Network> = "";

        /// The header with the client's address: `"x-forwarded-for"` or `"forwarded"` (RFC 7239). Only this
        /// one is read, because a proxy passes the other one on as the client wrote it.
        default header: ForwardedHeader = "x-forwarded-for";
    }

    /// Limits for clients. Each stage of a connection has one.
    [limits] Limits {
        /// The most open connections. Further ones are closed. At start it is lowered to what the limit of
        /// open files allows. 16 to 1000000.
        default connections: u32 = "10000";

        /// The most open connections of one client: an IPv4 address, or an IPv6 /64. `0` is no limit. Do
        /// not set it behind a proxy, because all connections come from the proxy there.
        optional connections_per_client: u32 = "`1000` where `tls.mode` is `\"files\"` and no proxy is trusted, else `0`";

        /// How long a new connection may take to show its protocol, including the TLS handshake.
        default greeting_timeout: Duration = "10s";

        /// How long the header of a request may take to arrive.
        default head_timeout: Duration = "15s";

        /// How long the body of a request may take to arrive.
        default body_timeout: Duration = "60s";

        /// How long a request may take until its answer begins. Longer than
        /// `limits.body_timeout`.
        default answer_timeout: Duration = "90s";

        /// The largest body of a request. 4KiB to 64MiB.
        default body_size: ByteSize = "2MiB";

        /// The most bytes of request bodies that this process holds at once. One client may have an eighth
        /// of them. Further requests get 503. `0B` is no limit, otherwise 64MiB to 65536MiB.
        default bodies_in_flight: ByteSize = "256MiB";

        /// How much one client (an IPv4 address, or an IPv6 /64) may request in a minute without being
        /// signed in. A page of a sign-in counts 1. To begin a sign-in, to leave for an identity provider
        /// and to come back from it count 4 more each, a wrong guess 20 more. A whole sign-in counts about
        /// 20, so 200 people behind one address can sign in within a minute. `0` is no limit. Each node
        /// counts for itself. Sign-ins that begin also count for all nodes on one database together.
        default anonymous_per_minute: u32 = "6000";

        /// The most requests of one client with a wrong secret, code or token in a minute. Right ones are
        /// not counted and never refused. `0` is no limit.
        default wrong_credentials_per_minute: u32 = "600";

        /// The most codes in a minute that a connection's provider refuses. Half of them may come from one
        /// client. Anybody can make codes up, and a provider that counts failures could lock your customer
        /// out. `0` is no limit.
        default failed_answers_per_minute: u32 = "60";

        /// How long the server still takes connections and requests after the signal to stop, while
        /// `/readyz` says 503. A load balancer must notice in this time. 0s in `genkan dev`.
        default drain_delay: Duration = "5s";

        /// How long requests under way may take after that.
        default shutdown_timeout: Duration = "25s";
    }

    /// What a domain of an organization needs before its identity provider may vouch for it.
    [domains] Domains {
        /// Whether every domain needs its TXT record, also if it was entered with the management API or the
        /// command line. Otherwise such a domain is active at once. Turn this on if your customers can
        /// enter domains through your application.
        default require_proof: bool = "false";
    }

    /// The management API.
    [api] Api {
        /// The most calls in a minute of one client, by gRPC and REST together. A sixth of them may come at
        /// once. `0` is no limit. Each node counts for itself.
        default requests_per_minute: u32 = "12000";

        /// Whether `ValidateToken` accepts the identifier of an API token (`apit_…`) instead of the token
        /// itself. An identifier is no secret: lists, events and logs show it, and it can be guessed. If an
        /// application passes on whatever its callers present, everybody who knows an identifier gets in.
        /// `genkan dev` has it on, because the service whose SDKs are used here accepts it.
        default validate_tokens_by_identifier: bool = "false";
    }

    /// Requirements for every application.
    [applications] Applications {
        /// Whether every application must use PKCE (RFC 7636), also those with a secret (RFC 9700 §2.1.1
        /// recommends it). It is off, because libraries of some frameworks do not send it. Single-page and
        /// native applications always must. `genkan app update APP --enforce-pkce` requires it of one
        /// application.
        default require_pkce: bool = "false";
    }

    /// Calls of this instance to others: to identity providers, and to applications that want to know about
    /// a logout.
    [outbound] Outbound {
        /// Whether such calls may go to private, loopback and link-local addresses. Turn it on only if an
        /// identity provider is in your network. With it, everybody who may create a connection can probe
        /// your network.
        default allow_private_addresses: bool = "false";

        /// Certificate authorities to trust besides the public ones, PEM.
        optional ca_file: PathBuf = "none";

        /// The proxy for such calls: `http://proxy.example.com:3128`, or with `user:password@` before the
        /// host, percent-encoded and better in `GENKAN_OUTBOUND_PROXY`. `HTTPS_PROXY` and similar variables
        /// are not read. Mail and DNS do not go through it.
        ///
        /// The proxy resolves names, so the proxy must refuse the names of your own network. An address
        /// that is private by its name or number is refused here.
        optional proxy: ProxyUrl = "none";

        /// Hosts that are called without the proxy: names, each with its sub-domains, addresses and
        /// networks (which apply to hosts that are written as an address). `genkan dev` always calls this
        /// machine without it.
        default no_proxy: Vec<NoProxy> = "";
    }

    /// How this instance sends mail: sign-in codes, invitations. Without a mail server, everything that
    /// needs mail is refused. `genkan dev` then keeps mail in an inbox at `/dev/mail`.
    [mail] Mail {
        /// The mail server: `smtps://user:password@host` for TLS from the first byte (port 465), or
        /// `smtp://user:password@host` for a server that must offer STARTTLS (port 587). There is no TLS
        /// for `smtp://localhost:25`, unless `?tls=starttls` follows, and none for
        /// `smtp://host:25?tls=none`, which takes no password. Special characters of the user and the
        /// password are percent-encoded.
        optional smtp_url: SmtpUrl = "none";

        /// A file that holds the password, instead of a password in `mail.smtp_url`: one line, readable
        /// only by its owner.
        optional smtp_password_file: PathBuf = "none";

        /// The sender address of mails. Your mail server must be allowed to send for its domain (SPF,
        /// DKIM).
        optional from: EmailAddress = "none";

        /// The name beside that address.
        default from_name: SenderName = "Genkan";
    }

    /// How long data is kept for people to look at. Older data is deleted in small steps. Data that a check
    /// still needs is kept as long as needed, whatever is written here: see the table in the
    /// [guide](../guides/operate.md#how-long-things-are-kept).
    [retention] Retention {
        /// Events of changes: people, memberships, roles, organizations, connections, applications,
        /// credentials. 7d to 3650d.
        default events: Duration = "400d";

        /// Events of sign-ins and sign-outs, ended sessions, failures and refusals. 7d to 3650d, and not
        /// longer than `retention.events`.
        default activity_events: Duration = "90d";

        /// Events of single tokens, which are the most frequent: each refresh is one. 1d to 3650d, and not
        /// longer than `retention.events`.
        default token_events: Duration = "30d";

        /// The log of sign-ins. 1d to 3650d.
        default sign_in_log: Duration = "90d";

        /// The traces that explain failed sign-ins (`err_…`). 1d to 3650d.
        default failed_sign_ins: Duration = "30d";

        /// Sessions that ended, with the address of the browser. 1h to 3650d.
        default ended_sessions: Duration = "30d";

        /// Authorization codes that were redeemed or have expired. If a code is presented again within this
        /// time, the tokens of its first use are revoked (RFC 6749 §4.1.2). Later it is only refused. 1h to
        /// 30d.
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

    /// How long people stay signed in. These values set up the environment at the first start, and have no
    /// effect later.
    [session] Session {
        /// A session ends this long after the sign-in. 1m to 365d.
        default absolute_timeout: Duration = "30d";

        /// A session ends if it is not used for this long. 1m to 7d, and not longer than
        /// `session.absolute_timeout`.
        default idle_timeout: Duration = "7d";
    }

    /// How long tokens are valid. These values set up the environment at the first start, and have no
    /// effect later.
    [tokens] Tokens {
        /// An access token of a user. 1s to 30d, and shorter than `session.idle_timeout`. After the end of
        /// its session, a token is valid for this long at most.
        default access_token_lifetime: Duration = "5m";

        /// An access token that an application fetched for itself. 1s to 30d.
        default client_access_token_lifetime: Duration = "1d";
    }
}

/// All keys, in the order of the reference.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|(_, _, keys)| keys.iter())
}
