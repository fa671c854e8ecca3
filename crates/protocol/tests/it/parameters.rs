//! Queries and forms that two readers would read differently.
//!
//! Source: RFC 6749 §3.1 and appendix B, RFC 3629 §3 and §10.

use genkan_protocol::oauth::{Duplicate, Parameters, ParametersError};

fn refused(raw: impl AsRef<[u8]>) -> ParametersError {
    Parameters::parse(raw.as_ref()).expect_err("bad parameters were taken")
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    for (name, raw) in [
        ("overlong slash", &b"a=%c0%af"[..]),
        ("overlong NUL", b"a=%c0%80"),
        ("overlong in three octets", b"a=%e0%80%af"),
        ("overlong in four octets", b"a=%f0%80%80%af"),
        ("a surrogate", b"a=%ed%a0%80"),
        ("beyond Unicode", b"a=%f4%90%80%80"),
        ("five octets", b"a=%f8%88%80%80%80"),
        ("cut short", b"a=%e2%82"),
        ("a continuation alone", b"a=%80"),
        ("Latin-1", b"a=caf%e9"),
        ("raw Latin-1", b"a=caf\xe9"),
        ("in the name", b"%ff=a"),
        ("half raw, half escaped", b"a=\xe2%82"),
    ] {
        assert_eq!(refused(raw), ParametersError::Utf8, "{name}");
    }
    assert_eq!(
        Parameters::parse(b"a=\xe2%82\xac").unwrap().one("a"),
        Ok(Some("€"))
    );
}

#[test]
fn an_escape_has_two_hexadecimal_digits() {
    for raw in [
        "a=%", "a=%4", "a=%zz", "a=%4g", "a=%%34", "a=% 41", "a=%+4", "a=%-1", "a=%u0041", "%=a", "a%4=b",
        "a=%4&b=1",
    ] {
        assert_eq!(refused(raw), ParametersError::Escape, "{raw}");
    }
    assert_eq!(Parameters::parse(b"a=%4a%4A").unwrap().one("a"), Ok(Some("JJ")));
}

#[test]
fn control_characters_are_refused() {
    for raw in [
        "a=%00",
        "a=x%00.example.com",
        "%00=a",
        "a=%0d%0aSet-Cookie:x",
        "a=%09",
        "a=%1b[2J",
        "a=%7f",
        "a=%c2%85",
        "a=\0",
        "a=\r\n",
    ] {
        assert_eq!(refused(raw), ParametersError::Control, "{raw:?}");
    }
}

#[test]
fn a_repeated_parameter_is_an_error_for_whoever_asks() {
    for raw in [
        "a=1&a=2",
        "a=1&a=1",
        "a=1&a=",
        "a=&a=1",
        "a&a",
        "a=1&%61=2",
        "a=1&b=2&a=3",
    ] {
        let parameters = Parameters::parse(raw.as_bytes()).unwrap();
        assert_eq!(parameters.one("a"), Err(Duplicate("a")), "{raw}");
        assert_eq!(parameters.first_duplicate(), Some("a"), "{raw}");
    }
    // RFC 8707 §2.
    let resources = Parameters::parse(b"resource=https://a.example&resource=https://b.example").unwrap();
    assert_eq!(resources.first_duplicate(), None);
    // Another case is another name.
    let cases = Parameters::parse(b"a=1&A=2").unwrap();
    assert_eq!((cases.one("a"), cases.one("A")), (Ok(Some("1")), Ok(Some("2"))));
}

#[test]
fn a_parameter_without_a_value_is_omitted() {
    for raw in ["a=", "a", "", "&&", "b=1", "=1"] {
        assert_eq!(
            Parameters::parse(raw.as_bytes()).unwrap().one("a"),
            Ok(None),
            "{raw}"
        );
    }
    // As a browser's form would encode it.
    let odd = Parameters::parse(b"&a==b=c&&d=%26%3d;e=f&").unwrap();
    assert_eq!(odd.iter().collect::<Vec<_>>(), [("a", "=b=c"), ("d", "&=;e=f")]);
}

#[test]
fn sizes_are_bounded() {
    let count = |n: usize| (0..n).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
    assert!(Parameters::parse(count(64).as_bytes()).is_ok());
    assert_eq!(refused(count(65)), ParametersError::TooLong);
    assert!(Parameters::parse(format!("{}=1", "n".repeat(128)).as_bytes()).is_ok());
    assert_eq!(
        refused(format!("{}=1", "n".repeat(129))),
        ParametersError::TooLong
    );
    assert!(Parameters::parse(format!("a={}", "v".repeat(16 * 1024)).as_bytes()).is_ok());
    assert_eq!(
        refused(format!("a={}", "v".repeat(16 * 1024 + 1))),
        ParametersError::TooLong
    );
    assert!(Parameters::parse(format!("a={}", "%76".repeat(16 * 1024)).as_bytes()).is_ok());
    assert_eq!(
        refused(format!("a={}", "%76".repeat(16 * 1024 + 1))),
        ParametersError::TooLong
    );
    assert_eq!(refused("&".repeat(64 * 1024 + 1)), ParametersError::TooLong);
    assert!(Parameters::parse("&".repeat(64 * 1024).as_bytes()).is_ok());
}

#[test]
fn values_stay_out_of_logs() {
    let parameters = Parameters::parse(b"client_secret=hunter2&code=c0de").unwrap();
    assert_eq!(format!("{parameters:?}"), r#"["client_secret", "code"]"#);
}

#[test]
fn control_characters_of_a_provider_s_answer_count_as_spaces_where_nothing_is_decided() {
    let answer =
        Parameters::parse_answer(b"error=access_denied&error_description=a%0d%0ab&other=%00&state=s")
            .unwrap();
    assert_eq!(answer.one("error_description"), Ok(Some("a  b")));
    assert_eq!(answer.one("state"), Ok(Some("s")));
    for decides in ["code", "state", "iss", "error"] {
        let answer = format!("{decides}=a%0ab");
        assert_eq!(
            Parameters::parse_answer(answer.as_bytes()),
            Err(ParametersError::Control)
        );
    }
    assert_eq!(
        Parameters::parse_answer(b"a%0ab=c"),
        Err(ParametersError::Control)
    );
}
