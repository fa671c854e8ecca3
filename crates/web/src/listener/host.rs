//! A request names its host once.
//!
//! `Host` decides nothing here, but a cache in front may file an answer under it.
//!
//! Source: RFC 9112 §3.2, RFC 9113 §8.3.1.

use http::request::Parts;
use http::uri::Authority;
use http::{Version, header};

/// What is wrong with how the request names its host.
pub(super) fn fault(parts: &Parts) -> Option<&'static str> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Some("The request names its host twice.\n"),
        (host, None) => host,
    };
    let Some(host) = host else {
        // RFC 9113 §8.3.1: HTTP/2 has `:authority` in its place, HTTP/1.0 had neither.
        return (parts.version == Version::HTTP_11).then_some("The request does not name its host.\n");
    };
    let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let Some(named) = named.filter(|named| !named.as_str().contains('@')) else {
        return Some("The request names no host that could be one.\n");
    };
    // RFC 9113 §8.3.1: `Host` must not name another host than `:authority`.
    let asked = parts.uri.authority().filter(|_| parts.version >= Version::HTTP_2);
    asked
        .is_some_and(|asked| !asked.as_str().eq_ignore_ascii_case(named.as_str()))
        .then_some("The request names two hosts.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = http::Request::get(uri).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        fault(&request.body(()).unwrap().into_parts().0).is_none()
    }

    #[test]
    fn a_request_of_http_1_1_names_one_host() {
        let http1 = |hosts: &[&str]| check(Version::HTTP_11, "/", hosts);
        assert!(http1(&["auth.example.com"]) && http1(&["[::1]:8080"]));
        for hosts in [
            &[][..],
            &["a.test", "a.test"],
            &["a.test", "b.test"],
            &[""],
            &["a.test/x"],
            &["user@a.test"],
            &["a b"],
        ] {
            assert!(!http1(hosts), "{hosts:?}");
        }
        assert!(check(Version::HTTP_10, "/", &[]));
        assert!(!check(Version::HTTP_10, "/", &["a.test", "b.test"]));
    }

    #[test]
    fn http_2_names_one_host_in_either_place() {
        let http2 = |hosts: &[&str]| check(Version::HTTP_2, "https://a.test/", hosts);
        assert!(http2(&[]) && http2(&["A.test"]));
        assert!(!http2(&["b.test"]) && !http2(&["a.test", "a.test"]));
    }
}
