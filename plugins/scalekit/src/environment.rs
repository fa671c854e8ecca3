//! The values that an operator gives.

use openneko_plugin::guest::{Error, World, https_parts};

use crate::NAME;

const URL: &str = "SCALEKIT_ENVIRONMENT_URL";
const CLIENT_ID: &str = "SCALEKIT_CLIENT_ID";
const CLIENT_SECRET: &str = "SCALEKIT_CLIENT_SECRET";

/// The values, checked.
pub(crate) struct Environment {
    /// `https://` and the host, without a path: the endpoints have fixed paths.
    pub(crate) origin: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

impl Environment {
    pub(crate) fn read(world: &World) -> Result<Self, Error> {
        let missing: Vec<&str> = [URL, CLIENT_ID, CLIENT_SECRET]
            .into_iter()
            .filter(|key| world.env(key).is_none())
            .collect();
        if let [first, ..] = missing[..] {
            return Err(format!(
                "{} not set (run `openneko secrets set {NAME} {first}`)",
                missing.join(", ")
            )
            .into());
        }
        let value = |key| world.env(key).unwrap_or_default();
        Ok(Self {
            origin: origin(value(URL))?,
            client_id: value(CLIENT_ID).to_owned(),
            client_secret: value(CLIENT_SECRET).to_owned(),
        })
    }
}

fn origin(raw: &str) -> Result<String, Error> {
    let url = raw.trim().trim_end_matches('/');
    if url.is_empty() {
        return Err(format!("{URL} is empty").into());
    }
    let scheme = "https://";
    if !url
        .get(..scheme.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    {
        return Err(format!("{URL} must be an https URL (got {url})").into());
    }
    // What follows the host is dropped, as resolving an absolute path would.
    let rest = &url[scheme.len()..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].to_ascii_lowercase();
    let origin = format!("{scheme}{}", host.strip_suffix(":443").unwrap_or(&host));
    if !is_host(&origin[scheme.len()..]) || https_parts(&origin).is_none() {
        return Err("Invalid URL".into());
    }
    Ok(origin)
}

/// A host name, with or without a port.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "1"));
    !name.is_empty()
        && !name.contains(':')
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_of_the_url_counts() {
        for (raw, expected) in [
            (" https://foo.scalekit.com/ ", "https://foo.scalekit.com"),
            ("HTTPS://Foo.scalekit.com///", "https://foo.scalekit.com"),
            (
                "https://foo.scalekit.com/some/path?x#y",
                "https://foo.scalekit.com",
            ),
            ("https://foo.scalekit.com:443", "https://foo.scalekit.com"),
            ("https://foo.scalekit.com:8443/", "https://foo.scalekit.com:8443"),
        ] {
            assert_eq!(origin(raw).unwrap(), expected, "{raw}");
        }
    }

    #[test]
    fn a_url_that_could_send_the_secret_elsewhere_is_refused() {
        for raw in [
            "https://user@evil.com",
            "https://a.com\\@b.com",
            "https://a.com:x",
            "https://a.com:0",
            "https://a.com:99999",
            "https://:443",
            "https://a b",
            "https://ä.com",
            "https://[::1]",
        ] {
            assert_eq!(origin(raw).unwrap_err().message(), "Invalid URL", "{raw}");
        }
        assert_eq!(
            origin("https://").unwrap_err().message(),
            "SCALEKIT_ENVIRONMENT_URL must be an https URL (got https:)"
        );
    }
}
