//! For any input: nothing panics, and rendered values are read back.

use std::time::Duration;

use genkan_protocol::jose::{JwkSet, verify};
use genkan_protocol::oauth::authorization_request::{ClientRules, Recipient, validate};
use genkan_protocol::oauth::redirect_uri::{
    Environment, Policy, RedirectUriKind, is_any_loopback, permits, validate_registration,
};
use genkan_protocol::oauth::{
    AuthorizationRequest, CodeChallenge, CodeVerifier, Credentials, Parameters, Scope, TokenRequest,
    append_query, bearer,
};
use genkan_protocol::oidc::id_token::{IdTokenExpectations, validate as validate_id_token};
use genkan_protocol::oidc::{AuthorizationResponse, ProviderMetadata, issuer_of, well_known_url};
use genkan_protocol::{Domain, EmailAddress, Timestamp, Trace};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::forge::{ANY, EC, KEYS, RSA, base64url};

/// Text that is similar to valid input.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        proptest::sample::select(vec![
            "https://",
            "http://localhost",
            "app.example.com",
            "*",
            "@",
            "/",
            "\\",
            "%2e",
            "%",
            "#",
            "?",
            "&",
            "=",
            "+",
            ".",
            ":",
            "xn--",
            "é",
            "\u{212a}",
            "\u{202e}",
            "\0",
            " ",
            "client_id",
            "code",
            "state",
            "Basic ",
            "Bearer ",
            "eyJ",
            "{",
            "}",
            "\"",
            "openid",
            "[::1]",
            "127.0.0.1",
            "javascript:",
        ])
        .prop_map(str::to_owned),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Halves are exact in every notation; other fractions may not be.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 2.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn named(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        proptest::sample::select(names).prop_map(str::to_owned),
        any::<String>()
    ];
    proptest::collection::btree_map(name, json(), 0..8).prop_map(|map| map.into_iter().collect())
}

const RULES: ClientRules<'static> = ClientRules {
    redirect_uri: "https://app.example.com/cb",
    redirect_uri_given: true,
    require_pkce: false,
};

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in hostile(), other in hostile()) {
        let _ = verify(&text, &KEYS, ANY);
        let _ = JwkSet::parse(text.as_bytes());
        let _ = ProviderMetadata::parse(text.as_bytes());
        let _ = Domain::parse(&text);
        let _ = EmailAddress::parse(&text);
        let _ = Scope::parse(&text);
        let _ = CodeChallenge::parse(&text);
        let _ = CodeVerifier::parse(&text);
        let _ = bearer::parse(&[text.as_bytes(), other.as_bytes()]);
        let _ = bearer::tokens(&[text.as_bytes(), other.as_bytes()]).count();
        let _ = is_any_loopback(&text);
        for environment in [Environment::Development, Environment::Production] {
            let _ = permits(std::slice::from_ref(&other), &text, Policy { environment, any_loopback: true, any_loopback_port: true });
            for kind in [RedirectUriKind::Callback, RedirectUriKind::PostLogout, RedirectUriKind::InitiateLogin, RedirectUriKind::BackChannelLogout] {
                let _ = validate_registration(&text, environment, kind);
            }
        }
        let _ = append_query(&text, &[(&other, &text)]);
        let _ = well_known_url(issuer_of(&text));
    }

    #[test]
    fn no_octets_make_a_parser_panic(raw in vec(any::<u8>(), 0..400)) {
        let _ = JwkSet::parse(&raw);
        let _ = bearer::parse(&[&raw]);
        let _ = Credentials::parse(&[&raw], &Parameters::default());
        let basic = [b"Basic ", raw.as_slice()].concat();
        let _ = Credentials::parse(&[&basic], &Parameters::default());
        if let Ok(parameters) = Parameters::parse(&raw) {
            let _ = Credentials::parse(&[], &parameters);
            let _ = TokenRequest::parse(&parameters);
            let _ = AuthorizationResponse::parse(&parameters);
            if let Ok(recipient) = Recipient::parse(&parameters) {
                let _ = validate(&parameters, &recipient, &RULES);
            }
        }
    }

    #[test]
    fn no_token_of_any_json_is_believed(
        header in named(&["alg", "kid", "typ", "crit", "b64", "jwk"]),
        claims in json(),
        signature in vec(any::<u8>(), 0..300),
    ) {
        let header = Value::Object(header).to_string();
        let token = format!("{}.{}.{}", base64url(header), base64url(claims.to_string()), base64url(signature));
        prop_assert!(verify(&token, &KEYS, ANY).is_err());
    }

    #[test]
    fn any_claims_are_signed_and_read_back(claims in named(&["sub", "iss", "aud"])) {
        for key in [&*RSA, &*EC] {
            let token = key.sign("JWT", &claims).unwrap();
            let verified = verify(&token, &KEYS, &["RS256", "ES256"]).unwrap();
            prop_assert_eq!(&verified.claims, &claims);
        }
    }

    #[test]
    fn any_id_token_is_judged_without_a_panic(
        claims in named(&["iss", "aud", "azp", "sub", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time"]),
        now in any::<i64>(),
        skew in any::<u64>(),
        max_age in any::<Option<u64>>(),
    ) {
        let token = verify(&EC.sign("JWT", &claims).unwrap(), &KEYS, &["ES256"]).unwrap();
        let mut trace = Trace::default();
        let expected = IdTokenExpectations {
            issuer: "https://idp.example",
            client_id: "us",
            nonce: Some("n".into()),
            now: Timestamp::from_micros(now),
            skew: Duration::from_secs(skew),
            access_token: Some("a"),
            max_age: max_age.map(Duration::from_secs),
        };
        prop_assert!(validate_id_token(&token, &expected, &mut trace).is_err());
        prop_assert_eq!(trace.checks().len(), 10);
    }

    #[test]
    fn parameters_are_rendered_and_read_back(pairs in vec(("[^\\p{Cc}]{1,20}", "[^\\p{Cc}]{0,40}"), 0..10)) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let uri = append_query("https://app.example.com/cb", &pairs);
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        let parameters = Parameters::parse(query.as_bytes()).unwrap();
        prop_assert_eq!(parameters.iter().collect::<Vec<_>>(), pairs);
        prop_assert_eq!(&Parameters::parse(parameters.render().as_bytes()).unwrap(), &parameters);
        // A browser reads the same.
        let browser: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        prop_assert_eq!(browser, parameters.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_read_strictly_is_what_a_browser_reads(raw in "[a-z0-9%+&=;é]{0,60}") {
        if let Ok(parameters) = Parameters::parse(raw.as_bytes()) {
            let browser: Vec<_> = url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
            prop_assert_eq!(browser, parameters.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn appending_to_a_redirect_uri_changes_nothing_before_the_query(
        path in "(/[a-z0-9]{0,8}){0,3}",
        query in "([a-z]{1,5}=[a-z0-9]{0,5}(&[a-z]{1,5}=[a-z0-9]{1,5}){0,2})?",
        value in "[^\\p{Cc}]{0,40}",
    ) {
        let registered = if query.is_empty() { format!("https://a.example{path}") } else { format!("https://a.example{path}?{query}") };
        let uri = append_query(&registered, &[("code", &value), ("state", &value)]);
        prop_assert!(uri.starts_with(&registered));
        let url = url::Url::parse(&uri).unwrap();
        prop_assert_eq!(url.host_str(), Some("a.example"));
        prop_assert!(url.fragment().is_none());
        let mut last = url.query_pairs().collect::<Vec<_>>().into_iter().rev();
        prop_assert_eq!(last.next().unwrap(), ("state".into(), value.as_str().into()));
        prop_assert_eq!(last.next().unwrap(), ("code".into(), value.as_str().into()));
    }

    #[test]
    fn what_is_permitted_leads_where_it_was_registered(label in "[a-zA-Z0-9.@:/\\\\%#?_-]{1,20}") {
        let presented = format!("https://{label}.example.com/cb");
        let development = Policy { environment: Environment::Development, any_loopback: false, any_loopback_port: false };
        if permits(&["https://*.example.com/cb".to_owned()], &presented, development) {
            let url = url::Url::parse(&presented).unwrap();
            prop_assert!(url.host_str().unwrap().ends_with(".example.com"));
            prop_assert_eq!((url.scheme(), url.path(), url.port(), url.query()), ("https", "/cb", None, None));
        }
    }

    #[test]
    fn a_loopback_uri_leads_to_this_machine(rest in hostile()) {
        for presented in [format!("http://localhost{rest}"), format!("http://127.0.0.1{rest}"), format!("http://{rest}"), rest] {
            if is_any_loopback(&presented) {
                let url = url::Url::parse(&presented).unwrap();
                prop_assert!(["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap()));
            }
        }
    }

    #[test]
    fn what_can_be_registered_matches_itself_and_is_a_plain_uri(uri in hostile()) {
        for environment in [Environment::Development, Environment::Production] {
            if validate_registration(&uri, environment, RedirectUriKind::Callback).is_ok() && !uri.contains('*') {
                let policy = Policy { environment, any_loopback: false, any_loopback_port: false };
                prop_assert!(permits(std::slice::from_ref(&uri), &uri, policy));
                prop_assert!(uri.bytes().all(|c| c.is_ascii_graphic()));
            }
        }
    }

    #[test]
    fn an_address_once_normalized_stays_as_it_is(local in "[\\PC]{1,20}", domain in "[\\PC.]{1,30}") {
        if let Ok(email) = EmailAddress::parse(&format!("{local}@{domain}")) {
            let again = EmailAddress::parse(email.as_str()).unwrap();
            prop_assert_eq!(&again, &email);
            prop_assert_eq!(email.as_str().matches('@').count(), 1);
            prop_assert!(email.as_str().ends_with(email.domain().as_str()));
            let json = serde_json::to_string(&email).unwrap();
            prop_assert_eq!(serde_json::from_str::<EmailAddress>(&json).unwrap(), email);
        }
    }

    #[test]
    fn an_ascii_address_is_reached_by_no_other_letters(local in "[a-zA-ZiıİKkſs\u{212a}À-ɏͰ-Ͽ]{1,6}") {
        let address = EmailAddress::parse(&format!("{local}@example.com"));
        let normalized = address.as_ref().map_or("", EmailAddress::as_str).trim_end_matches("@example.com");
        prop_assert!(!normalized.is_ascii() || normalized.is_empty() || local.eq_ignore_ascii_case(normalized));
    }

    #[test]
    fn a_domain_once_normalized_stays_as_it_is(text in prop_oneof![hostile(), "[\\PC.]{1,40}", "[a-z0-9.-]{1,70}"]) {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert_eq!(&Domain::parse(domain.as_str()).unwrap(), &domain);
            prop_assert!((4..=253).contains(&domain.as_str().len()) && domain.as_str().is_ascii());
        }
    }

    #[test]
    fn a_scope_is_rendered_and_read_back(text in "[!#-\\[\\]-~ ]{0,80}") {
        let scope = Scope::parse(&text).unwrap();
        prop_assert_eq!(&Scope::parse(&scope.to_string()).unwrap(), &scope);
        prop_assert!(scope.is_subset(&scope) && scope.len() == scope.as_slice().len());
        prop_assert_eq!(scope.is_empty(), text.trim().is_empty());
    }

    #[test]
    fn a_verifier_fits_its_own_challenge_and_no_other(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let (a_verifier, b_verifier) = (CodeVerifier::from_random(a), CodeVerifier::from_random(b));
        let challenge = a_verifier.challenge();
        prop_assert!(challenge.verify(&CodeVerifier::parse(a_verifier.expose()).unwrap()));
        prop_assert_eq!(challenge.verify(&b_verifier), a == b);
        prop_assert_eq!(CodeChallenge::parse(challenge.as_str()).unwrap(), challenge);
    }

    #[test]
    fn an_accepted_request_survives_the_store(
        state in "[^\\p{Cc}]{0,80}",
        nonce in "[^\\p{Cc}]{0,80}",
        prompt in proptest::sample::select(vec!["", "none", "login", "login consent", "select_account", "create"]),
        max_age in any::<Option<u32>>(),
        hint in "[^\\p{Cc}]{0,40}",
    ) {
        let max_age = max_age.map(|secs| secs.to_string()).unwrap_or_default();
        let pairs = [
            ("client_id", "skc_1"), ("response_type", "code"), ("state", &state), ("nonce", &nonce), ("prompt", prompt),
            ("max_age", &max_age), ("login_hint", &hint),
        ];
        let query = append_query("", &pairs);
        let parameters = Parameters::parse(&query.as_bytes()[1..]).unwrap();
        let request = validate(&parameters, &Recipient::parse(&parameters).unwrap(), &RULES).unwrap();
        prop_assert_eq!(request.state.as_deref().unwrap_or_default(), state);
        prop_assert_eq!(request.nonce.as_deref().unwrap_or_default(), nonce);
        let stored = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(serde_json::from_str::<AuthorizationRequest>(&stored).unwrap(), request);
    }
}
