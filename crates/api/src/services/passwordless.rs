//! Proof of an address by a mailed code or link, for applications with sign-in
//! pages of their own.
//!
//! Whether somebody has an account with the address changes no answer.

use std::time::Duration;

use genkan_contract::scalekit::v1::auth::passwordless as contract;
use genkan_contract::scalekit::v1::auth::passwordless::passwordless_service_server::{
    PasswordlessService, SERVICE_NAME,
};
use genkan_contract::scalekit::v1::auth::passwordless::verify_password_less_request::AuthCredential;
use genkan_contract::scalekit::v1::auth::passwordless::{
    PasswordlessType, ResendPasswordlessRequest, SendPasswordlessRequest, SendPasswordlessResponse,
    TemplateType, VerifyPasswordLessRequest, VerifyPasswordLessResponse,
};
use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use genkan_protocol::oauth::append_query;
use genkan_store::mail::{self, Letter, Mail};
use genkan_store::passwordless::{
    self, Challenge, Kind, NewRequest, Request, SendDecision, Template, Verification,
};
use genkan_store::{ClientId, Secret, client, user};
use tonic::Response;
use url::Url;

use crate::{Answer, Api, Call, Error};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

/// The default lifetime of a code or a link, and the shortest and longest one.
const LIFETIME_SECS: u32 = 300;
const LIFETIMES_SECS: std::ops::RangeInclusive<u32> = 60..=3600;

#[tonic::async_trait]
impl PasswordlessService for Api {
    async fn send_passwordless_email(
        &self,
        request: tonic::Request<SendPasswordlessRequest>,
    ) -> Answer<SendPasswordlessResponse> {
        let (call, message) = self.accept(request);
        self.require_mail()?;
        let client_id = client_of(&call)?;
        let asked = SendRequest::read(&message, self.host().is_development())?;
        let wanted = asked.wanted(client_id, &message);
        let (secret, challenge) = (Secret::generate(), Challenge::generate());
        let (at, key, hash) = (call.at(), self.instance_key(), secret.sha256());
        let request = self
            .tx(async |tx| {
                application(tx, client_id).await?;
                let sending = passwordless::insert(tx, at, key, &hash, (&wanted, &challenge)).await?;
                let request = allowed(sending)?;
                self.post(tx, &call, &request, &challenge).await?;
                Ok(request)
            })
            .await?;
        self.host().wake_jobs();
        Ok(Response::new(sent(&secret, &request)))
    }

    async fn resend_passwordless_email(
        &self,
        request: tonic::Request<ResendPasswordlessRequest>,
    ) -> Answer<SendPasswordlessResponse> {
        let (call, message) = self.accept(request);
        self.require_mail()?;
        let client_id = client_of(&call)?;
        let (secret, challenge) = (
            Secret::from_presented(message.auth_request_id),
            Challenge::generate(),
        );
        let (at, key, hash) = (call.at(), self.instance_key(), secret.sha256());
        let request = self
            .tx(async |tx| {
                let sending = passwordless::renew(tx, at, key, (client_id, &hash), &challenge).await?;
                let request = allowed(sending)?;
                self.post(tx, &call, &request, &challenge).await?;
                Ok(request)
            })
            .await?;
        self.host().wake_jobs();
        Ok(Response::new(sent(&secret, &request)))
    }

    async fn verify_passwordless_email(
        &self,
        request: tonic::Request<VerifyPasswordLessRequest>,
    ) -> Answer<VerifyPasswordLessResponse> {
        let (call, message) = self.accept(request);
        let client_id = client_of(&call)?;
        let presented = message.auth_request_id.filter(|id| !id.is_empty());
        let hash = presented.map(|id| Secret::from_presented(id).sha256());
        let (key, now) = (self.instance_key(), call.now);
        // A wrong code counts, so the transaction is committed with any outcome.
        let verification = match message.auth_credential {
            None => return Err(Error::invalid("code", "or link_token is required").into()),
            Some(AuthCredential::Code(code)) => {
                let hash = hash.ok_or_else(|| Error::required("auth_request_id"))?;
                let code = Secret::from_presented(code.trim());
                self.tx(async |tx| {
                    let verification =
                        passwordless::verify_code(tx, key, (client_id, &hash), &code, now).await?;
                    remember(tx, &call, &verification).await?;
                    Ok(verification)
                })
                .await?
            }
            Some(AuthCredential::LinkToken(token)) => {
                let token = Secret::from_presented(token);
                self.tx(async |tx| {
                    let verification =
                        passwordless::verify_link(tx, client_id, hash.as_ref(), &token, now).await?;
                    remember(tx, &call, &verification).await?;
                    Ok(verification)
                })
                .await?
            }
        };
        Ok(Response::new(proven(verification)?))
    }
}

impl Api {
    /// Queues the mail in the transaction of its challenge.
    async fn post(
        &self,
        tx: &mut Tx<'_>,
        call: &Call<'_>,
        request: &Request,
        challenge: &Challenge,
    ) -> Result<(), Error> {
        let application = application(tx, client_of(call)?).await?;
        let mail = Mail {
            to: request.email.clone(),
            letter: letter(application.name, request, challenge),
            expires_at: request.expires_at,
        };
        mail::enqueue(tx, call.at(), self.instance_key(), &mail).await?;
        Ok(())
    }
}

/// The letter of the application's mail.
fn letter(application: String, request: &Request, challenge: &Challenge) -> Letter {
    let link = request
        .magiclink_auth_uri
        .as_deref()
        .filter(|_| request.kind != Kind::Otp)
        .map(|uri| append_query(uri, &[("link_token", challenge.link_token.expose())]));
    Letter::SignInCode {
        application,
        is_sign_up: request.template == Some(Template::SignUp),
        code: (request.kind != Kind::Link).then(|| challenge.code.expose().to_owned()),
        link,
        lifetime_secs: request.lifetime.as_secs(),
    }
}

/// A person who has read the mail of an address has proved it, even if the sign-in fails.
async fn remember(tx: &mut Tx<'_>, call: &Call<'_>, verification: &Verification) -> Result<(), Error> {
    if let Verification::Proven(request) = verification {
        user::prove_email(tx, call.at(), &request.email).await?;
    }
    Ok(())
}

/// The application that sends the mail. Its token may outlive it by a moment.
async fn application(tx: &mut Tx<'_>, id: &ClientId) -> Result<client::Client, Error> {
    client::find(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("client"))
}

fn client_of<'a>(call: &'a Call<'_>) -> Result<&'a ClientId, Error> {
    call.caller()
        .map(|caller| &caller.client_id)
        .ok_or_else(|| Error::permission_denied("only an application may do this"))
}

/// The parsed request.
struct SendRequest {
    email: EmailAddress,
    kind: Kind,
    template: Option<Template>,
    lifetime: Duration,
}

impl SendRequest {
    fn read(message: &SendPasswordlessRequest, is_development: bool) -> Result<Self, Error> {
        let email = EmailAddress::parse(&message.email)
            .map_err(|error| Error::invalid("email", &error.to_string()))?;
        let lifetime = match message.expires_in {
            None | Some(0) => LIFETIME_SECS,
            Some(secs) if LIFETIMES_SECS.contains(&secs) => secs,
            Some(_) => return Err(Error::invalid("expires_in", "must be 60 to 3600 seconds")),
        };
        if let Some(uri) = &message.magiclink_auth_uri {
            check_link(uri, is_development)?;
        }
        Ok(Self {
            email,
            kind: if message.magiclink_auth_uri.is_some() {
                Kind::LinkOtp
            } else {
                Kind::Otp
            },
            template: match message.template() {
                TemplateType::Unspecified => None,
                TemplateType::Signin => Some(Template::SignIn),
                TemplateType::Signup => Some(Template::SignUp),
            },
            lifetime: Duration::from_secs(lifetime.into()),
        })
    }

    fn wanted<'a>(&'a self, client_id: &'a ClientId, message: &'a SendPasswordlessRequest) -> NewRequest<'a> {
        NewRequest {
            client_id,
            email: &self.email,
            kind: self.kind,
            template: self.template,
            state: message.state.as_deref(),
            magiclink_auth_uri: message.magiclink_auth_uri.as_deref(),
            lifetime: self.lifetime,
        }
    }
}

/// A link in a mail carries a secret, so it must lead to a web page by https; in
/// development also to this machine.
fn check_link(uri: &str, is_development: bool) -> Result<(), Error> {
    let url = Url::parse(uri).ok();
    let is_web = url.is_some_and(|url| {
        let is_plain = url.scheme() == "http" && (is_development || is_loopback(&url));
        (url.scheme() == "https" || is_plain) && url.username().is_empty() && url.fragment().is_none()
    });
    if is_web && !uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(());
    }
    Err(Error::invalid(
        "magiclink_auth_uri",
        "must be an https address without a fragment",
    ))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn allowed(sending: SendDecision) -> Result<Request, Error> {
    Err(match sending {
        SendDecision::Allowed(request) => return Ok(request),
        SendDecision::AddressLimit => Error::exhausted("this address has got many mails: wait ten minutes"),
        SendDecision::ClientLimit => {
            Error::exhausted("this application has sent many mails: wait ten minutes")
        }
        SendDecision::NoMoreCodes => no_more_codes(),
        SendDecision::Unknown => Error::not_found("auth request"),
        SendDecision::Over => over(),
    })
}

fn no_more_codes() -> Error {
    Error::exhausted(
        "too many wrong codes for this address within a day: send magiclink_auth_uri, and the mail holds a \
         link, which still works",
    )
}

fn over() -> Error {
    Error::precondition("the code and the link have expired or were used: send new ones")
}

fn proven(verification: Verification) -> Result<VerifyPasswordLessResponse, Error> {
    let request = match verification {
        Verification::Proven(request) => request,
        Verification::Wrong => return Err(Error::invalid("code", "is wrong")),
        Verification::TooManyTries => {
            return Err(Error::exhausted(
                "too many wrong codes: wait ten minutes, or ask for the link",
            ));
        }
        Verification::TooManyFailures => return Err(no_more_codes()),
        Verification::Over => return Err(over()),
        Verification::Unknown => return Err(Error::not_found("auth request")),
    };
    Ok(VerifyPasswordLessResponse {
        email: request.email.to_string(),
        state: request.state,
        template: request.template.map(|template| {
            match template {
                Template::SignIn => TemplateType::Signin,
                Template::SignUp => TemplateType::Signup,
            }
            .into()
        }),
        passwordless_type: number(request.kind).into(),
    })
}

fn sent(secret: &Secret, request: &Request) -> SendPasswordlessResponse {
    SendPasswordlessResponse {
        auth_request_id: secret.expose().to_owned(),
        expires_at: request.expires_at.as_secs(),
        expires_in: u32::try_from(request.lifetime.as_secs()).unwrap_or(u32::MAX),
        passwordless_type: number(request.kind).into(),
    }
}

/// The numbers of this package: the package of connections has others for the same words.
fn number(kind: Kind) -> contract::PasswordlessType {
    match kind {
        Kind::Otp => PasswordlessType::Otp,
        Kind::Link => PasswordlessType::Link,
        Kind::LinkOtp => PasswordlessType::LinkOtp,
    }
}
