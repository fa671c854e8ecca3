//! A SAML provider that says what a test wants, and the ways of a browser to it and back.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::Timestamp;
use genkan_protocol::saml::{
    AuthnRequest, IdpCertificate, KeyPurpose, NameIdFormat, OwnKey, SigningKey, binding,
};
use genkan_store::connection::{Connection, Protocol, SamlSettings, Settings};
use genkan_testkit::{Arrival, Browser, Gateway, Organization, Rp};

/// The site of the provider. No browser of a test really goes there.
pub(crate) const SITE: &str = "https://idp.acme.test/";
const SSO: &str = "https://idp.acme.test/sso";
const ENTITY: &str = "https://idp.acme.test/metadata";

/// The provider's key, and a key that no connection knows.
static KEYS: LazyLock<[OwnKey; 2]> = LazyLock::new(|| {
    let now = Timestamp::from_secs(1_780_000_000);
    [(); 2].map(|()| OwnKey::generate("idp.acme.test", KeyPurpose::Signing, now).unwrap())
});

/// The signed part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signs {
    Assertion,
    Response,
    Nothing,
    /// The assertion, with a key that the connection does not know.
    Strangely,
}

/// An answer, before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) signs: Signs,
    /// The certificate, as DER, that the assertion is encrypted to.
    pub(crate) encrypted_to: Option<Vec<u8>>,
    pub(crate) status: String,
    pub(crate) issuer: String,
    pub(crate) acs: String,
    /// The recipient of the assertion, if it is another address.
    pub(crate) recipient: Option<String>,
    pub(crate) audience: String,
    pub(crate) in_response_to: Option<String>,
    pub(crate) assertion_id: String,
    pub(crate) name_id: (String, NameIdFormat),
    pub(crate) issued_at: Timestamp,
    pub(crate) authn_instant: Timestamp,
    pub(crate) session_ends_at: Option<Timestamp>,
    pub(crate) attributes: Vec<(String, Vec<String>)>,
}

/// The settings of a connection to it.
pub(crate) fn settings() -> SamlSettings {
    let mut settings = SamlSettings {
        idp_entity_id: Some(ENTITY.to_owned()),
        idp_sso_url: Some(SSO.to_owned()),
        ..SamlSettings::default()
    };
    let pem = IdpCertificate::from_base64(&STANDARD.encode(&KEYS[0].certificate))
        .unwrap()
        .to_pem();
    settings.certificates = vec![genkan_store::connection::SamlCertificate {
        id: genkan_store::CertificateId::parse("cer_000000000000000000001").unwrap(),
        pem,
        issuer: "CN=idp.acme.test".to_owned(),
        created_at: Timestamp::from_secs(1_780_000_000),
        expires_at: Timestamp::from_secs(2_000_000_000),
    }];
    settings
}

/// Makes a connection one to this provider.
pub(crate) fn lead_there(connection: &mut Connection, change: impl FnOnce(&mut SamlSettings)) {
    let mut saml = settings();
    change(&mut saml);
    connection.settings = Settings::from(Protocol::Saml(saml));
    connection.client_secret_sealed = None;
}

/// An organization whose people sign in there, and an application.
pub(crate) async fn world(gateway: &Gateway) -> (Organization, Rp) {
    world_with(gateway, |_| {}).await
}

pub(crate) async fn world_with(
    gateway: &Gateway,
    change: impl FnOnce(&mut SamlSettings) + Send + 'static,
) -> (Organization, Rp) {
    let acme = gateway
        .organization("acme.test")
        .with_connection(move |connection| lead_there(connection, change))
        .await;
    (acme, gateway.client("rp").await)
}

/// A request that has arrived at the provider, with what comes back beside its answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) request: AuthnRequest,
    pub(crate) relay_state: String,
}

/// Sends a browser to the provider.
pub(crate) async fn ask(browser: &mut Browser, rp: &Rp) -> Asked {
    ask_with(browser, &rp.authorize().with("domain", "acme.test")).await
}

pub(crate) async fn ask_with(browser: &mut Browser, request: &genkan_testkit::Authorize) -> Asked {
    let arrival = browser.start(request).await;
    read(arrival)
}

/// The request with which a browser has arrived there.
pub(crate) fn read(arrival: Arrival) -> Asked {
    let there = arrival.callback();
    assert!(there.url.as_str().starts_with(SSO), "{}", there.url);
    let octets = binding::decode_request(&there.parameter("SAMLRequest").unwrap(), true).unwrap();
    Asked {
        request: AuthnRequest::parse(&octets).unwrap(),
        relay_state: there.parameter("RelayState").unwrap(),
    }
}

impl Asked {
    /// The answer of a provider that works.
    pub(crate) fn answer(&self, gateway: &Gateway, email: &str) -> Answer {
        let now = gateway.now();
        Answer {
            in_response_to: Some(self.request.id.clone()),
            acs: self.request.acs_url.clone(),
            audience: self.request.issuer.clone(),
            ..Answer::begun(now, email)
        }
    }
}

impl Answer {
    fn begun(now: Timestamp, email: &str) -> Self {
        Self {
            signs: Signs::Assertion,
            encrypted_to: None,
            status: "urn:oasis:names:tc:SAML:2.0:status:Success".to_owned(),
            issuer: ENTITY.to_owned(),
            acs: String::new(),
            recipient: None,
            audience: String::new(),
            in_response_to: None,
            assertion_id: format!("_{}", genkan_store::Secret::generate().expose()),
            name_id: (format!("id-of-{email}"), NameIdFormat::Persistent),
            issued_at: now,
            authn_instant: now,
            session_ends_at: None,
            attributes: vec![
                ("email".to_owned(), vec![email.to_owned()]),
                ("firstName".to_owned(), vec!["Ada".to_owned()]),
                ("lastName".to_owned(), vec!["Lovelace".to_owned()]),
            ],
        }
    }

    /// An answer to no request.
    pub(crate) fn unsolicited(gateway: &Gateway, acme: &Organization, email: &str) -> Self {
        let entity = format!("{}/sso/v1/saml/{}", gateway.url(), acme.connection_id());
        Self {
            acs: format!("{entity}/callback"),
            audience: entity,
            ..Self::begun(gateway.now(), email)
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// As XML, signed as it should be.
    pub(crate) fn xml(&self) -> String {
        let time = |at: Timestamp| at.to_rfc3339();
        let in_response_to = match &self.in_response_to {
            Some(id) => format!(r#" InResponseTo="{id}""#),
            None => String::new(),
        };
        let ends = self.issued_at + Duration::from_mins(5);
        let session = match self.session_ends_at {
            Some(at) => format!(r#" SessionNotOnOrAfter="{}""#, time(at)),
            None => String::new(),
        };
        let attributes: String = self
            .attributes
            .iter()
            .map(|(name, values)| {
                let values: String = values
                    .iter()
                    .map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>"))
                    .collect();
                format!(r#"<saml:Attribute Name="{name}">{values}</saml:Attribute>"#)
            })
            .collect();
        let Self {
            issuer,
            acs,
            audience,
            assertion_id,
            status,
            ..
        } = self;
        let recipient = self.recipient.as_ref().unwrap_or(acs);
        let (name_id, format) = (&self.name_id.0, self.name_id.1.uri());
        let (issued, instant) = (time(self.issued_at), time(self.authn_instant));
        let assertion = format!(
            r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{assertion_id}" Version="2.0" IssueInstant="{issued}"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject><saml:NameID Format="{format}">{name_id}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData Recipient="{recipient}" NotOnOrAfter="{ends}"{in_response_to}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{issued}" NotOnOrAfter="{ends}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{instant}" SessionIndex="_s1"{session}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"#,
            ends = time(ends),
        );
        let assertion = match self.signs {
            Signs::Assertion => sign(&KEYS[0], &assertion, assertion_id),
            Signs::Strangely => sign(&KEYS[1], &assertion, assertion_id),
            Signs::Response | Signs::Nothing => assertion,
        };
        let assertion = match &self.encrypted_to {
            Some(certificate) => genkan_protocol::saml::encrypt(assertion.as_bytes(), certificate).unwrap(),
            None => assertion,
        };
        let assertion = if status.ends_with(":Success") {
            assertion
        } else {
            String::new()
        };
        let response_id = format!("_r-{assertion_id}");
        let response = format!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{response_id}" Version="2.0" IssueInstant="{issued}" Destination="{acs}"{in_response_to}><saml:Issuer>{issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>{assertion}</samlp:Response>"#
        );
        match self.signs {
            Signs::Response => sign(&KEYS[0], &response, &response_id),
            Signs::Assertion | Signs::Strangely | Signs::Nothing => response,
        }
    }

    /// The form's field.
    pub(crate) fn encoded(&self) -> String {
        STANDARD.encode(self.xml())
    }

    /// The provider's page posts it in this browser.
    pub(crate) async fn post(&self, browser: &mut Browser, relay_state: Option<&str>) -> Arrival {
        post(browser, &self.acs, &self.encoded(), relay_state).await
    }
}

fn sign(key: &OwnKey, xml: &str, id: &str) -> String {
    let key = SigningKey::from_pkcs8(&key.pkcs8, &key.certificate).unwrap();
    key.sign_enveloped(xml, id).unwrap()
}

/// The certificate in our metadata with this use, as DER.
pub(crate) async fn our_certificate(gateway: &Gateway, acme: &Organization, used: &str) -> Vec<u8> {
    let path = format!("/sso/v1/saml/{}", acme.connection_id());
    let metadata = gateway.get(&path).send().await;
    let (_, descriptor) = metadata.text().split_once(&format!(r#"use="{used}""#)).unwrap();
    let (_, certificate) = descriptor.split_once("X509Certificate>").unwrap();
    let (base64, _) = certificate.split_once('<').unwrap();
    let base64: String = base64.split_whitespace().collect();
    STANDARD.decode(base64).unwrap()
}

/// The provider's page posts an answer in this browser.
pub(crate) async fn post(
    browser: &mut Browser,
    acs: &str,
    encoded: &str,
    relay_state: Option<&str>,
) -> Arrival {
    let mut fields = vec![("SAMLResponse", encoded)];
    fields.extend(relay_state.map(|state| ("RelayState", state)));
    browser.post_from(SITE, acs, &fields).await
}

/// Signs a person in, from the application and back to it.
pub(crate) async fn sign_in(gateway: &Gateway, browser: &mut Browser, rp: &Rp, email: &str) -> Arrival {
    let asked = ask(browser, rp).await;
    asked
        .answer(gateway, email)
        .post(browser, Some(&asked.relay_state))
        .await
}

/// The cause of the newest failure. Its page must show the reference.
pub(crate) async fn cause(gateway: &Gateway, arrival: Arrival) -> String {
    let page = arrival.page();
    let trace = gateway.login_trace().await;
    assert_eq!(trace.id.as_str(), page.reference(), "{}", page.html.text());
    trace.cause
}
