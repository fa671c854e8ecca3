//! How messages travel through the browser: in the query of a redirect, or in a form.
//!
//! Source: SAML 2.0 Bindings §3.4, §3.5.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use url::form_urlencoded;

use super::{Cause, SigningError, SigningKey};

/// The longest answer, in octets. With 300 groups one has about 20,000.
pub const MAX_RESPONSE_BYTES: usize = 512 * 1024;
/// The longest request that is inflated. Deflate packs a thousand octets into one.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

/// A form that the browser posts to the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostForm {
    /// Where it is posted.
    pub action: String,
    /// Its fields, hidden ones.
    pub fields: Vec<(&'static str, String)>,
}

/// The address that carries a request to the identity provider in its query.
///
/// A signature is over the octets of the query as they are sent: the provider must not
/// decode and encode them again (Bindings §3.4.4.1).
///
/// # Errors
///
/// [`SigningError`] if the key cannot sign.
pub fn redirect_url(
    location: &str,
    request_xml: &str,
    relay_state: &str,
    signing: Option<&SigningKey>,
) -> Result<String, SigningError> {
    let mut query = format!(
        "SAMLRequest={}&RelayState={}",
        percent_encoded(&STANDARD.encode(deflate(request_xml.as_bytes()))),
        percent_encoded(relay_state)
    );
    if let Some(key) = signing {
        query.push_str("&SigAlg=");
        query.push_str(&percent_encoded(SigningKey::METHOD.uri()));
        let signature = key.sign_query(query.as_bytes())?;
        query.push_str("&Signature=");
        query.push_str(&percent_encoded(&STANDARD.encode(signature)));
    }
    // A location may have a query of its own, as PingOne's and Google's do. A fragment
    // is no part of the address that is asked.
    let location = location
        .split_once('#')
        .map_or(location, |(location, _)| location);
    let separator = match location.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    Ok(format!("{location}{separator}{query}"))
}

/// The form that carries a request, already signed if it should be, to the identity provider.
pub fn post_form(location: &str, request_xml: &str, relay_state: &str) -> PostForm {
    PostForm {
        action: location.to_owned(),
        fields: vec![
            ("SAMLRequest", STANDARD.encode(request_xml)),
            ("RelayState", relay_state.to_owned()),
        ],
    }
}

/// The octets of an answer from the form's field SAMLResponse.
///
/// # Errors
///
/// [`Cause::Base64Malformed`] or [`Cause::MessageTooLong`].
pub fn decode_response(form_value: &str) -> Result<Vec<u8>, Cause> {
    // Bindings §3.5.4 does not limit the length of a line, and providers break lines.
    let is_space = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let base64: Vec<u8> = form_value.bytes().filter(|octet| !is_space(octet)).collect();
    if base64.is_empty() {
        return Err(Cause::Base64Malformed);
    }
    // Four letters are three octets: this is decided before memory is taken for them.
    if base64.len() / 4 * 3 > MAX_RESPONSE_BYTES + 2 {
        return Err(Cause::MessageTooLong);
    }
    let octets = STANDARD.decode(base64).map_err(|_| Cause::Base64Malformed)?;
    if octets.len() > MAX_RESPONSE_BYTES {
        return Err(Cause::MessageTooLong);
    }
    Ok(octets)
}

/// The octets of a request from the query parameter or the form field SAMLRequest, as the simulated
/// identity provider reads it. `None` if it is none, or a bomb.
pub fn decode_request(value: &str, is_deflated: bool) -> Option<Vec<u8>> {
    let octets = STANDARD.decode(value).ok()?;
    if !is_deflated {
        return Some(octets);
    }
    let mut inflated = Vec::new();
    DeflateDecoder::new(octets.as_slice())
        .take(MAX_REQUEST_BYTES + 1)
        .read_to_end(&mut inflated)
        .ok()?;
    (inflated.len() as u64 <= MAX_REQUEST_BYTES).then_some(inflated)
}

/// Bindings §3.4.4.1: raw deflate, without the header of zlib.
fn deflate(octets: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(octets)
        .and_then(|()| encoder.finish())
        .expect("memory takes every octet")
}

fn percent_encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
