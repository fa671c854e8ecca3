//! The answer to a request: an honest one, or one with the chosen fault.
//!
//! Source: SAML 2.0 Core §3.3.3, Profiles §4.1.4.2, §4.1.5.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::Timestamp;
use genkan_protocol::saml::idp::{IdpResponse, Protection};
use genkan_protocol::saml::{AuthnRequest, KeyPurpose, NameId, NameIdFormat, SigningKey};
use serde_json::Value;

use super::fault::{Fault, Must};
use super::tampered;
use crate::simulator::profile::Profile;
use crate::simulator::{Simulator, SimulatorError, random};
use crate::web::error::PageError;

/// How long an answer can be repeated.
const REPEATABLE: Duration = Duration::from_hours(1);

const HOUR: Duration = Duration::from_hours(1);

/// More than Genkan tolerates, and less.
const AHEAD: Duration = Duration::from_mins(10);
const DIFFERS: Duration = Duration::from_mins(2);

/// A request for a sign-in, to be answered.
#[derive(Debug, Clone)]
pub(super) struct SignOnRequest {
    /// For a sign-in that begins here, a request that nobody has sent.
    pub(super) request: AuthnRequest,
    pub(super) is_solicited: bool,
    pub(super) relay_state: Option<String>,
    pub(super) connection_id: String,
}

/// The fields of the form (SAML Bindings §3.5.4).
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) response: String,
    pub(super) relay_state: Option<String>,
}

/// An answer that was given.
#[derive(Debug, Clone)]
pub(super) struct EarlierAnswer {
    answer: Answer,
    assertion_id: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("there is no earlier answer to repeat")]
    NothingToRepeat,
    #[error("the connection shows no certificate to encrypt to")]
    NoCertificate,
    #[error("the certificate to encrypt to could not be read")]
    Unread(PageError),
    #[error(transparent)]
    Own(#[from] SimulatorError),
}

impl Simulator {
    pub(super) async fn saml_answer(
        &self,
        asked: &SignOnRequest,
        profile: &Profile,
        fault: Option<Fault>,
    ) -> Result<Answer, AnswerError> {
        let before = match fault {
            Some(fault) if fault.is_repetition() => Some(self.answered(&asked.request.acs_url)?),
            _ => None,
        };
        if let (Some(Fault::Replay), Some(before)) = (fault, &before) {
            return Ok(before.answer.clone());
        }
        let now = self.now();
        let secret = random()?;
        let name_id = name_id(asked, profile, (fault, &secret));
        let issuer = self.saml_entity_id();
        let mut response = IdpResponse::to_request(&asked.request, &issuer, &secret, name_id, now);
        response.attributes = attributes(profile);
        if !asked.is_solicited {
            response.in_response_to = None;
        }
        if let Some(class) = requested_class(&asked.request) {
            response.authn_context = class;
        }
        if let Some(before) = before {
            response.assertion_id = before.assertion_id;
        }
        if let Some(fault) = fault {
            distort(&mut response, profile, fault, now);
        }
        let xml = self.write(&response, asked, fault).await?;
        let answer = Answer {
            response: STANDARD.encode(xml),
            relay_state: match fault {
                Some(Fault::WrongRelayState) => Some("another".to_owned()),
                _ => asked.relay_state.clone(),
            },
        };
        if fault.is_none_or(|fault| fault.must() == Must::SignIn) {
            self.keep(&asked.request.acs_url, &answer, response.assertion_id);
        }
        Ok(answer)
    }

    /// The answer as XML.
    async fn write(
        &self,
        response: &IdpResponse,
        asked: &SignOnRequest,
        fault: Option<Fault>,
    ) -> Result<String, AnswerError> {
        let key = self.saml_key().await?;
        let protection = Protection {
            response_key: Some(&key),
            assertion_key: Some(&key),
            encrypt_to: None,
        };
        if let Some((code, detail)) = fault.and_then(Fault::status) {
            let message = Some("The simulator was asked to fail.");
            let xml = response.render_failure(code, detail, message, &protection);
            return Ok(xml.map_err(SimulatorError::from)?);
        }
        let xml = match fault {
            Some(Fault::Unsigned) => response.render(&Protection::default()),
            Some(Fault::WrongKey) => {
                let made = self.make_saml_key(KeyPurpose::Signing).await?;
                let key =
                    SigningKey::from_pkcs8(&made.pkcs8, &made.certificate).map_err(SimulatorError::from)?;
                response.render(&Protection {
                    response_key: Some(&key),
                    assertion_key: Some(&key),
                    encrypt_to: None,
                })
            }
            Some(Fault::WrappedSignature) => tampered::wrapped(response, &somebody_else(response), &key),
            Some(fault @ (Fault::Encrypted | Fault::EncryptedToAnother)) => {
                let certificate = self.certificate(asked, fault).await?;
                response.render(&Protection {
                    encrypt_to: Some(&certificate),
                    ..protection
                })
            }
            _ => response.render(&protection),
        };
        let xml = xml.map_err(SimulatorError::from)?;
        Ok(match fault {
            Some(Fault::Changed) => tampered::changed(&xml),
            Some(Fault::DocumentType) => tampered::with_document_type(&xml),
            _ => xml,
        })
    }

    /// The certificate to encrypt to.
    async fn certificate(&self, asked: &SignOnRequest, fault: Fault) -> Result<Vec<u8>, AnswerError> {
        let find = self.config().saml.encryption.as_ref();
        let find = find.ok_or(AnswerError::NoCertificate)?;
        // Asked in any case: a connection makes its keys when a provider looks at them first.
        let found = find(asked.connection_id.clone())
            .await
            .map_err(AnswerError::Unread)?;
        let certificate = found.ok_or(AnswerError::NoCertificate)?;
        if fault == Fault::EncryptedToAnother {
            return Ok(self.make_saml_key(KeyPurpose::Decryption).await?.certificate);
        }
        Ok(certificate)
    }

    fn answered(&self, acs_url: &str) -> Result<EarlierAnswer, AnswerError> {
        let answered = self.0.saml.answered.lock();
        let found = answered.find(acs_url, self.now()).cloned();
        found.ok_or(AnswerError::NothingToRepeat)
    }

    fn keep(&self, acs_url: &str, answer: &Answer, assertion_id: String) {
        let answered = EarlierAnswer {
            answer: answer.clone(),
            assertion_id,
        };
        let now = self.now();
        let mut memory = self.0.saml.answered.lock();
        memory.insert(acs_url.to_owned(), answered, now, now + REPEATABLE);
    }
}

/// The person's name, in the format that was asked for (Core §3.4.1.1).
fn name_id(asked: &SignOnRequest, profile: &Profile, (fault, secret): (Option<Fault>, &str)) -> NameId {
    let format = match fault {
        Some(Fault::TransientName) => Some(NameIdFormat::Transient),
        // The address must not come as a name either.
        Some(Fault::NoEmail) => None,
        _ => asked.request.name_id_format,
    };
    match format {
        Some(NameIdFormat::Email) => NameId::new(&profile.email, NameIdFormat::Email),
        Some(NameIdFormat::Transient) => NameId::new(format!("_t{secret}"), NameIdFormat::Transient),
        Some(NameIdFormat::Persistent | NameIdFormat::Unspecified) | None => {
            let claims = profile.claims();
            let chosen = claims.get("sub").and_then(Value::as_str);
            NameId::new(chosen.unwrap_or_default(), NameIdFormat::Persistent)
        }
    }
}

fn requested_class(request: &AuthnRequest) -> Option<String> {
    request.requested_context.as_ref()?.classes.first().cloned()
}

/// The claims of the same person by OpenID Connect, as attributes of the same names. Providers say nothing of a
/// verified address, so only a doubt is told.
fn attributes(profile: &Profile) -> Vec<(String, Vec<String>)> {
    let claims = profile.claims().into_iter();
    claims
        .filter(|(name, value)| name != "sub" && !(name == "email_verified" && *value == Value::Bool(true)))
        .filter_map(|(name, value)| Some((name, texts(value)?)))
        .collect()
}

fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => Some(values.into_iter().filter_map(texts).flatten().collect()),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Some(vec![other.to_string()]),
    }
}

/// Changes what the answer says.
fn distort(response: &mut IdpResponse, profile: &Profile, fault: Fault, now: Timestamp) {
    let other = |url: &str| format!("{url}/other");
    match fault {
        Fault::WrongIssuer => response.issuer = other(&response.issuer),
        Fault::WrongAudience => response.audience = other(&response.audience),
        Fault::WrongDestination => response.destination = response.destination.as_deref().map(other),
        Fault::WrongRecipient => response.recipient = other(&response.recipient),
        Fault::WrongRequest => response.in_response_to = Some("_another".to_owned()),
        Fault::NoRequest => response.in_response_to = None,
        Fault::Expired => {
            response.issue_instant = now - HOUR - HOUR;
            response.authn_instant = response.issue_instant;
            response.not_before = response.issue_instant;
            response.not_on_or_after = now - HOUR;
        }
        Fault::ClockAhead => move_clock(response, AHEAD),
        Fault::ClockDiffers => move_clock(response, DIFFERS),
        Fault::SessionOver => response.session_ends_at = Some(now - HOUR),
        Fault::NoEmail => response.attributes.retain(|(name, _)| name != "email"),
        Fault::MalformedEmail => set_email(response, vec!["Ada Lovelace".to_owned()]),
        Fault::TwoEmails => {
            let another = another_email(&profile.email);
            set_email(response, vec![profile.email.clone(), another]);
        }
        _ => {}
    }
}

/// As if the provider's clock were ahead.
fn move_clock(response: &mut IdpResponse, by: Duration) {
    for time in [
        &mut response.issue_instant,
        &mut response.authn_instant,
        &mut response.not_before,
        &mut response.not_on_or_after,
    ] {
        *time = *time + by;
    }
}

fn set_email(response: &mut IdpResponse, values: Vec<String>) {
    response.attributes.retain(|(name, _)| name != "email");
    response.attributes.push(("email".to_owned(), values));
}

/// An address of the same company.
fn another_email(email: &str) -> String {
    let (_, domain) = email.rsplit_once('@').unwrap_or_default();
    format!("somebody.else@{domain}")
}

/// The person for whom a forger takes a colleague's signature.
fn somebody_else(response: &IdpResponse) -> IdpResponse {
    let mut forged = response.clone();
    forged.assertion_id.push_str("-forged");
    forged.name_id.value = "somebody-else".to_owned();
    let email = forged.attributes.iter().find(|(name, _)| name == "email");
    let email = email.and_then(|(_, values)| values.first()).cloned();
    set_email(&mut forged, vec![another_email(&email.unwrap_or_default())]);
    forged
}
