//! By which name a local server is asked for.
//!
//! A page of any site can have its own name lead to 127.0.0.1 (DNS rebinding);
//! for the browser this server is then a part of that site. Only the `Host` of
//! such a request tells.
//!
//! Source: RFC 9110 §7.2, §15.5.20.

use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use url::Host;

use crate::web::settings::PublicUrl;

/// Whether every name that a request gives this server is a name of this
/// machine, or the public URL's. Browsers always give one.
pub(crate) fn is_ours(uri: &Uri, headers: &HeaderMap, public_url: Option<&PublicUrl>) -> bool {
    let public_host = public_url.and_then(PublicUrl::host);
    let named = headers.get_all(header::HOST).iter().map(|value| {
        let authority = Authority::try_from(value.as_bytes()).ok()?;
        host_of(&authority)
    });
    let mut names = named.chain(uri.authority().map(host_of));
    names.all(|host| host.is_some_and(|host| is_local(&host) || Some(&host) == public_host.as_ref()))
}

fn host_of(authority: &Authority) -> Option<Host> {
    // A trailing dot makes a name absolute and is part of no certificate or list.
    let host = authority.host();
    Host::parse(host.strip_suffix('.').unwrap_or(host)).ok()
}

/// Names that lead to this machine whatever a name server says (RFC 6761 §6.3).
fn is_local(host: &Host) -> bool {
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

    fn is_ours_for(public_url: &str, hosts: &[&[u8]]) -> bool {
        let public_url = PublicUrl::parse(public_url).unwrap();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        is_ours(&Uri::from_static("/"), &headers, Some(&public_url))
    }

    #[test]
    fn only_names_of_this_machine_and_the_public_one_are_ours() {
        let local = "http://localhost:3000";
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
        ] {
            assert!(is_ours_for(local, &[host.as_bytes()]), "{host}");
        }
        for host in [
            "",
            "rebind.evil.test:3000",
            "localhost.evil.test",
            "evillocalhost",
            "127.0.0.1.evil.test",
            "192.168.0.1",
            "0.0.0.0",
            "[::]",
            "localhost:3000:1",
            "localhost/",
        ] {
            assert!(!is_ours_for(local, &[host.as_bytes()]), "{host}");
        }
        assert!(!is_ours_for(local, &[b"localhost", b"evil.test"]));
        assert!(!is_ours_for(local, &[b"fran\xe7ais"]));
        assert!(is_ours_for(local, &[]));
        assert!(is_ours_for("https://neko.test", &[b"Neko.Test"]));
        let absolute = Uri::from_static("http://evil.test/");
        assert!(!is_ours(&absolute, &HeaderMap::new(), None));
    }
}
