//! The access token in the `Authorization` header.
//!
//! Source: RFC 6750 §2.1, RFC 9110 §11.6.2. Not supported, on purpose: tokens
//! in the body (§2.2) and in the query (§2.3), which ends up in logs.

/// Why the header is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// Something that is not a token follows `Bearer`.
    #[error("the Authorization header must be the word Bearer and one token")]
    Malformed,
    /// More than one Bearer token.
    #[error("there is more than one Bearer token")]
    Multiple,
}

/// The Bearer token of a request; `None` if there is none, or another scheme.
///
/// ```
/// use genkan_protocol::oauth::bearer;
///
/// assert_eq!(bearer::parse(&[b"Bearer abc.def"]), Ok(Some("abc.def")));
/// assert_eq!(bearer::parse(&[b"Basic YTpi"]), Ok(None));
/// ```
///
/// # Errors
///
/// A [`BearerError`]: at an endpoint for one token, two are a trick.
pub fn parse<'a>(authorization_headers: &[&'a [u8]]) -> Result<Option<&'a str>, BearerError> {
    let mut found = None;
    for header in authorization_headers {
        let Some(token) = token_of(header) else { continue };
        if found.replace(token?).is_some() {
            return Err(BearerError::Multiple);
        }
    }
    Ok(found)
}

/// All well-formed Bearer tokens of a request, in their order.
///
/// For the management API: a Python client sends its present token and then a
/// stale one, and is let in if any of them is valid.
pub fn tokens<'a>(authorization_headers: &[&'a [u8]]) -> impl Iterator<Item = &'a str> {
    authorization_headers
        .iter()
        .filter_map(|header| token_of(header)?.ok())
}

fn token_of(header: &[u8]) -> Option<Result<&str, BearerError>> {
    // RFC 9110 §11.1: the name of the scheme is case-insensitive.
    let rest = strip_scheme(header, b"bearer")?;
    let token = std::str::from_utf8(rest).ok().map(|rest| rest.trim_matches(' '));
    Some(
        token
            .filter(|token| is_token68(token))
            .ok_or(BearerError::Malformed),
    )
}

/// What follows the scheme, if the header has that scheme.
pub(super) fn strip_scheme<'a>(header: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (name, rest) = header.split_at_checked(scheme.len())?;
    let ends = rest.first().is_none_or(|byte| *byte == b' ');
    (ends && name.eq_ignore_ascii_case(scheme)).then_some(rest)
}

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_token68(token: &str) -> bool {
    let characters = token.trim_end_matches('=');
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/".contains(&c);
    !characters.is_empty() && characters.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_whatever_the_case_of_the_scheme() {
        for header in [
            "Bearer a.b-c_d~e+f/g==",
            "bearer a.b-c_d~e+f/g==",
            "BEARER   a.b-c_d~e+f/g== ",
        ] {
            assert_eq!(
                parse(&[header.as_bytes()]),
                Ok(Some("a.b-c_d~e+f/g==")),
                "{header}"
            );
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for header in [
            "Bearer",
            "Bearer ",
            "Bearer =",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer a\0",
            "Bearer \"a\"",
            "Bearer a=b",
            "Bearer é",
        ] {
            assert_eq!(
                parse(&[header.as_bytes()]),
                Err(BearerError::Malformed),
                "{header}"
            );
        }
        assert_eq!(parse(&[b"Bearer \xff"]), Err(BearerError::Malformed));
    }

    #[test]
    fn another_scheme_is_no_token() {
        assert_eq!(parse(&[]), Ok(None));
        for header in [
            "",
            "Bear",
            "Bearerx",
            "BearerToken a",
            "Basic YTpi",
            "Bearer\ta",
            "DPoP a",
        ] {
            assert_eq!(parse(&[header.as_bytes()]), Ok(None), "{header}");
        }
    }

    #[test]
    fn two_tokens_are_a_trick_where_one_decides_and_normal_at_the_management_api() {
        let both: [&[u8]; 3] = [b"Bearer fresh", b"Basic YTpi", b"Bearer stale"];
        assert_eq!(parse(&both), Err(BearerError::Multiple));
        assert_eq!(tokens(&both).collect::<Vec<_>>(), ["fresh", "stale"]);
    }
}
