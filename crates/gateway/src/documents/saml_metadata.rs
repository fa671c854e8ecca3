//! The metadata of a provider, read from the address that an administrator enters.
//!
//! They are read when they are entered, and stored. An address that is entered again is read again.

use genkan_api::Unreadable;
use http::header;

use crate::outbound::{Outbound, Request, Scheme};

/// The longest document. Those of one provider stay far below; federations publish thousands in one.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Reads a document through the guard of outbound calls.
///
/// # Errors
///
/// [`Unreadable`], as text to put after the name of the field.
pub async fn fetch(outbound: &Outbound, url: &str, scheme: Scheme) -> Result<String, Unreadable> {
    let accept = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.9".to_owned();
    let request = Request::get(url, scheme)
        .at_most(MAX_BYTES)
        .header(header::ACCEPT, accept);
    let answer = outbound
        .send(request)
        .await
        .map_err(|error| Unreadable(format!("cannot be read: {error}")))?;
    if !answer.status.is_success() {
        return Err(Unreadable(format!("answers {}", answer.status.as_u16())));
    }
    String::from_utf8(answer.body).map_err(|_| Unreadable("is not written in UTF-8".to_owned()))
}
