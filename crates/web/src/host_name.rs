//! The host name by which a request calls a server of this machine.
//!
//! Any site can make its own name resolve to 127.0.0.1 (DNS rebinding). For the browser
//! this server is then a part of that site, whose pages may read and press everything
//! here. Only the host name of the request shows it.
//!
//! Source: RFC 9110 §7.2, §15.5.20.

use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use url::{Host, Url};

/// Whether a request names this server: every name in it is one of this machine, or the
/// host of `origin`, our public address. HTTP/2 has the name in the address, HTTP/1.1 in
/// the head; if both have one, both are checked.
pub fn is_own(uri: &Uri, headers: &HeaderMap, origin: Option<&str>) -> bool {
    let public = origin
        .and_then(|origin| Url::parse(origin).ok())
        .and_then(|url| url.host().map(|host| host.to_owned()));
    let in_head = headers.get_all(header::HOST).iter().map(|value| {
        let authority = Authority::try_from(value.as_bytes()).ok()?;
        host_of(&authority)
    });
    let mut names = in_head.chain(uri.authority().map(host_of)).peekable();
    names.peek().is_some()
        && names.all(|host| host.is_some_and(|host| is_loopback(&host) || Some(&host) == public.as_ref()))
}

fn host_of(authority: &Authority) -> Option<Host> {
    // A trailing dot makes a name absolute and is part of no certificate or list.
    let host = authority.host();
    Host::parse(host.strip_suffix('.').unwrap_or(host)).ok()
}

/// Names that lead to this machine with every name server (RFC 6761 §6.3).
fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_own_for(origin: &str, hosts: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        is_own(&Uri::from_static("/"), &headers, Some(origin))
    }

    #[test]
    fn only_names_of_this_machine_and_the_public_one_are_own() {
        for host in [
            "localhost",
            "localhost:3000",
            "LOCALHOST:1",
            "localhost.",
            "app.localhost:3000",
            "127.0.0.1:3000",
            "127.1.2.3",
            "[::1]:3000",
            "[::ffff:127.0.0.1]",
            "dev.acme.test",
            "Dev.Acme.Test:8080",
        ] {
            assert!(is_own_for("https://dev.acme.test", &[host.as_bytes()]), "{host}");
        }
        for host in [
            "",
            "rebind.evil.test:3000",
            "localhost.evil.test",
            "evillocalhost",
            "127.0.0.1.evil.test",
            "192.168.0.1",
            "10.0.0.7",
            "0.0.0.0",
            "[::]",
            "[::2]",
            "sub.dev.acme.test",
            "localhost:3000:1",
            "localhost/",
        ] {
            assert!(!is_own_for("https://dev.acme.test", &[host.as_bytes()]), "{host}");
        }
        assert!(is_own_for("https://[2001:db8::1]:8443", &[b"[2001:db8::1]:443"]));
    }

    #[test]
    fn every_name_counts_and_there_must_be_one() {
        assert!(!is_own_for(
            "https://dev.acme.test",
            &[b"localhost", b"evil.test"]
        ));
        assert!(!is_own_for("https://dev.acme.test", &[b"fran\xe7ais"]));
        assert!(!is_own_for("https://dev.acme.test", &[]));
        let absolute = Uri::from_static("http://evil.test/");
        assert!(!is_own(&absolute, &HeaderMap::new(), None));
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        assert!(!is_own(&absolute, &headers, None));
        let ours = Uri::from_static("http://localhost:8080/");
        assert!(is_own(&ours, &headers, None) && is_own(&ours, &HeaderMap::new(), None));
    }
}
