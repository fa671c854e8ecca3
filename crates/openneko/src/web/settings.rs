//! What an operator decides about the web app.
//!
//! A flag wins over a variable, a variable over `config.json`, that over the default.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use genkan_net::Network;
use genkan_web::listener::{ForwardedHeader, TrustedProxies};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::web::admin_groups::{self, AdminGroups};
use crate::web::mistake::{Mistake, lower, mistake, non_empty};
use crate::web::rules::Rules;
use crate::web::store::session::Lifetimes;

/// The port of the original.
pub const DEFAULT_PORT: u16 = 3000;

/// A company behind one address begins and finishes 60 sign-ins a minute, in bursts.
pub const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(120).expect("120 is not 0");

/// What was given on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Address and port to listen on [env: OPENNEKO_LISTEN] [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// How browsers reach this server, such as https://neko.example.com [env: OPENNEKO_PUBLIC_URL]
    ///
    /// Providers send people back to it. Without it, a server that listens on this
    /// machine alone takes http://localhost and its port.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// sqlite:<path> or postgres://… [env: OPENNEKO_DATABASE_URL] [default: a file in the state directory]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

/// The key `web` of `config.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    pub listen: Option<String>,
    pub public_url: Option<String>,
    pub database_url: Option<String>,
    /// Addresses and networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Minutes without a request after which a session ends.
    pub session_idle_minutes: Option<u64>,
    pub allowed_organizations: Vec<String>,
    pub allowed_domains: Vec<String>,
    pub admin_groups: AdminGroups,
    pub roles_follow_groups: bool,
    pub link_unverified_email: bool,
    /// Begun and finished sign-ins of one address, per minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Days that the record of sign-ins is kept.
    pub audit_days: Option<u64>,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Absent if it is not set and has no default: then nobody can sign in.
    pub public_url: Option<PublicUrl>,
    /// Absent for the default file.
    pub database_url: Option<String>,
    pub trusted_proxies: TrustedProxies,
    pub lifetimes: Lifetimes,
    pub rules: Rules,
    pub requests_per_minute: NonZeroU32,
    pub keep_audit: Duration,
}

/// Where browsers find us: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Reads a public URL.
    ///
    /// # Errors
    ///
    /// If it is no `https` origin, or no `http` origin of this machine.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let wrong = |why: &str| mistake("OPENNEKO_PUBLIC_URL", why);
        let url = Url::parse(text.trim().trim_end_matches('/'))
            .map_err(|_| wrong("it is not an address such as https://neko.example.com"))?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(wrong("it may hold scheme, host and port only"));
        }
        if url.path() != "/" {
            return Err(wrong("it may not have a path: openneko needs a host of its own"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(wrong(
                    "it must start with https://, or whoever is in between takes over sessions",
                ));
            }
            _ => return Err(wrong("it must start with https://")),
        }
        if url.host().is_none() {
            return Err(wrong("it has no host"));
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// Scheme, host and port, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.0
    }

    /// Its host.
    pub fn host(&self) -> Option<Host> {
        Url::parse(&self.0).ok()?.host().map(|host| host.to_owned())
    }

    /// Whether cookies are `Secure`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether only browsers of this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_loopback(&url))
    }

    /// The address that providers send people back to.
    pub fn redirect_uri(&self) -> String {
        format!("{}/api/auth/callback", self.0)
    }
}

/// Whether an address leads to this machine by its name alone.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Settings {
    /// Puts flags, variables and file together. `variable` looks one up.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used.
    pub fn new<'e>(
        flags: &Flags,
        variable: impl Fn(&str) -> Option<&'e str>,
        file: File,
    ) -> Result<Self, Mistake> {
        let listen = listen(flags, &variable, file.listen.as_deref())?;
        let public_url = flags
            .public_url
            .as_deref()
            .or_else(|| variable("OPENNEKO_PUBLIC_URL"))
            .or(file.public_url.as_deref());
        let public_url = public_url.map(PublicUrl::parse).transpose()?;
        let database_url = flags.database_url.as_deref();
        let database_url = database_url
            .or_else(|| variable("OPENNEKO_DATABASE_URL"))
            .map(str::to_owned)
            .or(file.database_url);
        let mut lifetimes = Lifetimes::default();
        if let Some(minutes) = file.session_idle_minutes {
            lifetimes.idle = Duration::from_secs(minutes.saturating_mul(60)).min(lifetimes.absolute);
            if minutes == 0 {
                return Err(mistake("web.sessionIdleMinutes", "nobody could stay signed in"));
            }
        }
        let allowed_organizations: BTreeSet<String> =
            non_empty("web.allowedOrganizations", file.allowed_organizations)?
                .into_iter()
                .collect();
        let rules = Rules {
            admin_groups: admin_groups::by_organization(file.admin_groups, &allowed_organizations)?,
            allowed_organizations,
            allowed_domains: lower(&non_empty("web.allowedDomains", file.allowed_domains)?),
            roles_follow_groups: file.roles_follow_groups,
            link_unverified_email: file.link_unverified_email,
        };
        let proxies = variable("OPENNEKO_TRUSTED_PROXIES")
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or(file.trusted_proxies);
        Ok(Self {
            listen,
            public_url,
            database_url,
            trusted_proxies: trusted_proxies(&proxies)?,
            lifetimes,
            rules,
            requests_per_minute: file.requests_per_minute.unwrap_or(REQUESTS_PER_MINUTE),
            keep_audit: Duration::from_secs(file.audit_days.unwrap_or(365).saturating_mul(86_400)),
        })
    }

    /// The public URL. If only this machine reaches the server on `port`, it has a
    /// default. The `Host` header never decides, because the sender of the request
    /// writes it.
    pub fn public_url_on(&self, port: u16) -> Option<PublicUrl> {
        let guess = || {
            self.is_local()
                .then(|| PublicUrl(format!("http://localhost:{port}")))
        };
        self.public_url.clone().or_else(guess)
    }

    /// Whether only this machine can connect.
    pub fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

fn trusted_proxies(written: &[String]) -> Result<TrustedProxies, Mistake> {
    let networks = written.iter().map(|network| network.trim().parse::<Network>());
    let networks = networks.collect::<Result<_, _>>();
    Ok(TrustedProxies {
        networks: networks.map_err(|error| mistake("OPENNEKO_TRUSTED_PROXIES", error.to_string()))?,
        header: ForwardedHeader::XForwardedFor,
    })
}

/// The address to listen on: a flag wins over a variable, a variable over the file.
fn listen<'e>(
    flags: &Flags,
    variable: &impl Fn(&str) -> Option<&'e str>,
    file: Option<&str>,
) -> Result<SocketAddr, Mistake> {
    if let Some(listen) = flags.listen {
        return Ok(listen);
    }
    if let Some(text) = variable("OPENNEKO_LISTEN").or(file) {
        return text.parse().map_err(|_| {
            mistake(
                "OPENNEKO_LISTEN",
                "write an address and a port, such as 127.0.0.1:3000",
            )
        });
    }
    let port = variable("OPENNEKO_PORT").map(str::parse).transpose();
    let port = port.map_err(|_| mistake("OPENNEKO_PORT", "write a number from 1 to 65535"))?;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Ok(SocketAddr::new(loopback, port.unwrap_or(DEFAULT_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&'static str, &'static str)], file: &str) -> Result<Settings, Mistake> {
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        Settings::new(&Flags::default(), variable, serde_json::from_str(file).unwrap())
    }

    #[test]
    fn a_public_url_is_an_origin_that_nobody_can_listen_in_on() {
        for (text, origin) in [
            ("https://neko.example.com///", "https://neko.example.com"),
            ("https://Neko.Example.com:443", "https://neko.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000/", "http://[::1]:3000"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().origin(), origin, "{text}");
        }
        for bad in [
            "",
            "neko.example.com",
            "http://neko.example.com",
            "https://neko.example.com/app",
            "https://u:p@neko.example.com",
            "https://neko.example.com/?x",
            "ftp://neko.example.com",
            "javascript:alert(1)",
            "http://localhost.evil.test",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_server_of_this_machine_has_a_default_public_url() {
        let local = settings(&[("OPENNEKO_PORT", "3100")], "{}").unwrap();
        assert_eq!(
            local.public_url_on(3100).unwrap().origin(),
            "http://localhost:3100"
        );
        let open = settings(&[("OPENNEKO_LISTEN", "0.0.0.0:3000")], "{}").unwrap();
        assert_eq!(open.public_url_on(3000), None);
    }

    #[test]
    fn a_variable_wins_over_the_file() {
        let file = r#"{"publicUrl":"https://a.test","allowedDomains":["Acme.Test"]}"#;
        let settings = settings(&[("OPENNEKO_PUBLIC_URL", "https://b.test/")], file).unwrap();
        assert_eq!(
            settings.public_url.unwrap().redirect_uri(),
            "https://b.test/api/auth/callback"
        );
        assert!(settings.rules.allowed_domains.contains("acme.test"));
    }

    #[test]
    fn a_mistake_is_named() {
        let name = |variables, file| settings(variables, file).unwrap_err().name;
        assert_eq!(name(&[("OPENNEKO_PORT", "x")], "{}"), "OPENNEKO_PORT");
        assert_eq!(
            name(&[("OPENNEKO_TRUSTED_PROXIES", "everyone")], "{}"),
            "OPENNEKO_TRUSTED_PROXIES"
        );
        assert_eq!(name(&[], r#"{"allowedDomains":[""]}"#), "web.allowedDomains");
        assert_eq!(name(&[], r#"{"sessionIdleMinutes":0}"#), "web.sessionIdleMinutes");
        // A rule that is misspelt must not be a rule that is missing.
        assert!(serde_json::from_str::<File>(r#"{"allowedDomain":["a.test"]}"#).is_err());
    }
}
