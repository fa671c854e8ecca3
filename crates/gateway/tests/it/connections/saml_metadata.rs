//! `GET /sso/v1/saml/{connection}` and `…/metadata`: what a provider registers, and nothing more.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use genkan_protocol::saml::IdpCertificate;
use genkan_store::connection::key::{self, Purpose};
use genkan_store::connection::{self, Connection, Protocol, SamlSettings, Settings};
use genkan_store::{ConnectionId, Error, Provider};
use genkan_testkit::{Gateway, Reply, on_each_engine};

/// A disabled SAML connection of the environment.
async fn saml(gateway: &Gateway, provider: Provider, set: fn(&mut SamlSettings)) -> ConnectionId {
    let mut settings = SamlSettings::default();
    set(&mut settings);
    let settings = Settings::from(Protocol::Saml(settings));
    let connection = Connection::new(gateway.at(), None, provider, settings);
    let at = gateway.at();
    gateway
        .tx(async |tx| connection::insert(tx, at, &connection).await)
        .await;
    connection.id
}

async fn metadata(gateway: &Gateway, id: &ConnectionId) -> Reply {
    gateway.get(&format!("/sso/v1/saml/{id}/metadata")).send().await
}

/// The certificates in a document, for one use.
fn certificates(document: &str, usage: &str) -> Vec<IdpCertificate> {
    document
        .split("<md:KeyDescriptor ")
        .filter(|part| part.starts_with(&format!("use=\"{usage}\"")))
        .map(|part| {
            let (_, rest) = part.split_once("X509Certificate>").unwrap();
            let (base64, _) = rest.split_once('<').unwrap();
            IdpCertificate::from_base64(base64).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn both_addresses_hold_all_that_a_provider_registers() {
    on_each_engine(async |gateway: &Gateway| {
        let id = saml(gateway, Provider::Okta, |_| {}).await;
        let reply = metadata(gateway, &id).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), "application/samlmetadata+xml");
        assert_eq!(reply.header("cache-control"), "public, max-age=300");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        let file = format!("attachment; filename=\"{id}-metadata.xml\"");
        assert_eq!(reply.header("content-disposition"), file);

        let document = reply.text();
        let base = format!("{}/sso/v1/saml/{id}", gateway.url());
        assert!(document.contains(&format!("entityID=\"{base}\"")), "{document}");
        assert!(
            document.contains(&format!("Location=\"{base}/callback\"")),
            "{document}"
        );
        assert_eq!(certificates(document, "signing").len(), 1);
        assert_eq!(certificates(document, "encryption").len(), 1);
        assert_ne!(
            certificates(document, "signing"),
            certificates(document, "encryption")
        );
        assert!(
            !document.contains("validUntil"),
            "a provider that imports it would drop us"
        );
        let at_contract = gateway.get(&format!("/sso/v1/saml/{id}")).send().await;
        assert_eq!(at_contract.text(), document);
    })
    .await;
}

#[tokio::test]
async fn for_shibboleth_they_end_two_weeks_after_each_reading() {
    let gateway = Gateway::start().await;
    let id = saml(&gateway, Provider::Shibboleth, |_| {}).await;
    for _ in 0..2 {
        let end = (gateway.now() + Duration::from_secs(14 * 24 * 60 * 60)).to_rfc3339();
        let document = metadata(&gateway, &id).await;
        let text = document.text();
        assert!(text.contains(&format!("validUntil=\"{end}\"")), "{text}");
        gateway.clock().advance(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn an_entered_name_and_address_stand_in_the_metadata_escaped() {
    let gateway = Gateway::start().await;
    let id = saml(&gateway, Provider::Custom, |settings| {
        settings.sp_entity_id = Some("urn:a\"><script>&".to_owned());
        settings.sp_assertion_url = Some("https://before.example.com/acs?a=1&b=2".to_owned());
        settings.want_request_signed = true;
    })
    .await;
    let reply = metadata(&gateway, &id).await;
    let document = reply.text();
    assert!(!document.contains("<script>"), "{document}");
    assert!(
        document.contains("entityID=\"urn:a&quot;&gt;&lt;script&gt;&amp;\""),
        "{document}"
    );
    assert!(
        document.contains("Location=\"https://before.example.com/acs?a=1&amp;b=2\""),
        "{document}"
    );
    assert!(document.contains("AuthnRequestsSigned=\"true\""), "{document}");
}

#[tokio::test]
async fn providers_that_encrypt_by_cbc_see_a_key_only_if_the_connection_asks_for_encryption() {
    let gateway = Gateway::start().await;
    for provider in [Provider::Adfs, Provider::MicrosoftAd] {
        for (asks, keys) in [(false, 0), (true, 1)] {
            let set: fn(&mut SamlSettings) = match asks {
                true => |settings| settings.assertion_encrypted = true,
                false => |_| {},
            };
            let id = saml(&gateway, provider, set).await;
            let reply = metadata(&gateway, &id).await;
            assert_eq!(certificates(reply.text(), "encryption").len(), keys, "{provider}");
        }
    }
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_connections_that_have_no_metadata() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let nowhere = gateway.get("/sso/v1/saml/a/b/c").send().await;
        for id in [
            acme.connection_id().as_str(),
            "conn_100000000000000000001",
            "conn_x",
            "%00",
        ] {
            for path in [
                format!("/sso/v1/saml/{id}"),
                format!("/sso/v1/saml/{id}/metadata"),
            ] {
                let reply = gateway.get(&path).send().await;
                assert_eq!(reply.status, 404, "{path}");
                assert_eq!(reply.text(), nowhere.text(), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn of_many_first_requests_one_makes_the_keys() {
    on_each_engine(async |gateway: &Gateway| {
        let id = saml(gateway, Provider::Okta, |_| {}).await;
        gateway.add_node().await;
        let replies = (0..30).map(|_| metadata(gateway, &id));
        let replies = futures_util::future::join_all(replies).await;
        let documents: BTreeSet<_> = replies.iter().map(|reply| reply.text().to_owned()).collect();
        assert_eq!(documents.len(), 1);
        let keys = gateway
            .tx(async |tx| {
                let connection = connection::find(tx, &id).await?.ok_or(Error::Stale)?;
                key::list(tx, &connection).await
            })
            .await;
        assert_eq!(keys.all().len(), Purpose::ALL.len());
    })
    .await;
}

#[tokio::test]
async fn no_key_of_a_connection_is_one_of_another_or_signs_tokens() {
    let gateway = Gateway::start().await;
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let id = saml(&gateway, Provider::Okta, |_| {}).await;
        let reply = metadata(&gateway, &id).await;
        for usage in ["signing", "encryption"] {
            for certificate in certificates(reply.text(), usage) {
                assert!(seen.insert(certificate.der().to_vec()), "a key is used twice");
            }
        }
    }
    assert_eq!(seen.len(), 4);
    let jwks = gateway.get("/keys").send().await.json();
    let moduli = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|jwk| jwk["n"].as_str());
    let moduli: Vec<Vec<u8>> = moduli.map(|n| URL_SAFE_NO_PAD.decode(n).unwrap()).collect();
    assert!(!moduli.is_empty());
    for (certificate, modulus) in seen.iter().flat_map(|der| moduli.iter().map(move |n| (der, n))) {
        let holds = certificate.windows(modulus.len()).any(|part| part == modulus);
        assert!(!holds, "{} is a token key", STANDARD.encode(certificate));
    }
}

#[tokio::test]
async fn metadata_are_limited_like_the_pages_of_a_sign_in() {
    let policy = genkan::budget::Policy {
        per_minute: 20,
        ..genkan::budget::Policy::OFF
    };
    let gateway = Gateway::setup().anonymous(policy).start().await;
    let id = saml(&gateway, Provider::Okta, |_| {}).await;
    let mut refused = 0;
    for _ in 0..60 {
        let reply = metadata(&gateway, &id).await;
        refused += u32::from(reply.status == 429);
    }
    assert!(refused > 0);
}
