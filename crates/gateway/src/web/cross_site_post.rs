//! Forms that another site posts to a page of ours.
//!
//! `SameSite=Lax` keeps our cookies from them, so the person would look like a stranger;
//! a navigation by GET carries the cookies. OIDC requires both methods for requests that
//! send a browser to us.
//!
//! Source: OIDC Core §3.1.2.1, RP-Initiated Logout 1.0 §2, RFC 6265bis §5.6.7.1.

use axum::response::Response;
use genkan_web::origin;
use http::HeaderMap;

use crate::app::App;
use crate::cookies::Cookie;
use crate::web::see_other::see_other;

/// The longest query: a request head is bounded.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// Sends the browser to the same request by GET, if another site posted it and
/// none of our cookies came along.
pub fn again_by_get(app: &App, headers: &HeaderMap, path: &str, body: &[u8]) -> Option<Response> {
    let has = |cookie| app.cookies().read(headers, cookie).is_some();
    if origin::is_same_origin(headers, Some(app.issuer())) || has(Cookie::Session) || has(Cookie::Browser) {
        return None;
    }
    // A body that is no query goes on as usual, and is refused there.
    let query = std::str::from_utf8(body).ok()?;
    let is_query = query.len() <= MAX_QUERY_BYTES && query.bytes().all(|c| c.is_ascii_graphic() && c != b'#');
    is_query.then(|| see_other(&format!("{path}?{query}")))
}
