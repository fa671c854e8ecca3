//! Sending mail: by an SMTP server, to the inbox of a development instance, or not at
//! all.
//!
//! Source: RFC 5321 (SMTP), RFC 5322 (the message), RFC 3834 (automatic mail).

use std::path::Path;
use std::time::{Duration, SystemTime};

use genkan_protocol::EmailAddress;
use genkan_store::{MailId, Timestamp};
use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParametersBuilder};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::config::{Config, SmtpSecurity, SmtpUrl};
use crate::letters::LetterText;

/// How long the server may take for one step of the dialogue.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// How many connections to the server are kept at most.
pub const MAX_CONNECTIONS: u32 = 4;

/// The target of mail.
#[derive(Debug, Clone)]
pub enum Mailer {
    Smtp(Smtp),
    /// It stays in the store, where `/dev/mail` shows it.
    Inbox,
    /// Nowhere: methods that need mail are refused.
    Absent,
}

/// A mail server.
#[derive(Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// The domain of message identifiers.
    host: String,
}

/// Shows no password.
impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// The mail server of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("mail.smtp_password_file {0}")]
    Password(String),
    #[error("mail.from: {0}")]
    From(#[from] AddressError),
    #[error("outbound.ca_file cannot be read: {0}")]
    Authorities(#[from] std::io::Error),
    #[error("TLS to the mail server cannot be set up: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
    #[error("the address cannot be written: {0}")]
    Address(#[from] AddressError),
    #[error(transparent)]
    Smtp(#[from] lettre::transport::smtp::Error),
}

impl SendError {
    /// What happened, without the server's own text, which may name the recipient.
    pub fn reason(&self) -> String {
        match self {
            Self::Message(_) => "it cannot be written as a mail".to_owned(),
            Self::Address(_) => "its address cannot be written".to_owned(),
            Self::Smtp(error) => match error.status() {
                Some(code) => format!("the mail server answered {code}"),
                None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
                None if error.is_tls() => "the mail server did not show a good certificate".to_owned(),
                None => "the mail server could not be reached".to_owned(),
            },
        }
    }

    /// What an operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Message(_) | Self::Address(_) => "Try another address.",
            Self::Smtp(error) => smtp_remedy(error.status().map(u16::from), error.is_tls()),
        }
    }

    /// Whether the same mail would be refused again: the server refused this mail or
    /// its recipient for good. A refused or missing password is not final: the operator
    /// can fix it, and then the mail goes out.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Message(_) | Self::Address(_) => true,
            Self::Smtp(error) => {
                let code = error.status().map(u16::from);
                error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538))
            }
        }
    }
}

/// The remedy for the server's answer (RFC 5321 §4.2.3, RFC 4954 §6), or for none.
fn smtp_remedy(status: Option<u16>, is_tls: bool) -> &'static str {
    match status {
        Some(530 | 534 | 535 | 538) => {
            "The server wants a user and a password: write them in mail.smtp_url, or the password in the file of \
             mail.smtp_password_file."
        }
        Some(400..=499) => {
            "The server asks to come back later, as servers do with a sender that they see for the first time: try \
             again in some minutes. Mail to people is tried again by itself."
        }
        Some(550 | 551 | 552 | 553 | 556) => {
            "The server takes no mail for this address, or not from this sender: try an address that is sure to \
             exist, then compare mail.from with what the server lets you send as."
        }
        Some(_) => {
            "Look for this answer in the log of the mail server; mail.from may be a sender that it refuses."
        }
        None if is_tls => {
            "Compare the name in mail.smtp_url with the server's certificate; if an authority of your own signed it, \
             name the file of that authority in outbound.ca_file."
        }
        None => "Check host and port in mail.smtp_url, and that this machine may connect to them.",
    }
}

impl Mailer {
    /// The mailer by `config`; a development instance without a mail server has its
    /// inbox.
    ///
    /// # Errors
    ///
    /// [`SetupError`], in words for the operator.
    pub fn of(config: &Config, is_development: bool) -> Result<Self, SetupError> {
        let mail = &config.mail;
        let (Some(url), Some(from)) = (&mail.smtp_url, &mail.from) else {
            return Ok(if is_development { Self::Inbox } else { Self::Absent });
        };
        let password = config.read_smtp_password().map_err(SetupError::Password)?;
        let smtp = Smtp::new(&SmtpParts {
            url,
            password: password.as_ref().map(|password| password.as_str()),
            from,
            from_name: mail.from_name.as_str(),
            host: config.public_url.host(),
            ca_file: config.outbound.ca_file.as_deref(),
        })?;
        Ok(Self::Smtp(smtp))
    }

    /// Whether mail can be sent, if only to the inbox of a developer.
    pub const fn is_configured(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

fn tls(security: SmtpSecurity, host: &str, ca_file: Option<&Path>) -> Result<Tls, SetupError> {
    if security == SmtpSecurity::Plain {
        return Ok(Tls::None);
    }
    let mut parameters =
        TlsParametersBuilder::new(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if let Some(path) = ca_file {
        parameters = parameters.add_root_certificate(Certificate::from_pem(&std::fs::read(path)?)?);
    }
    let parameters = parameters.build_rustls()?;
    Ok(match security {
        SmtpSecurity::Tls => Tls::Wrapper(parameters),
        SmtpSecurity::StartTls | SmtpSecurity::Plain => Tls::Required(parameters),
    })
}

/// Our name in the greeting: a host name or an address literal (RFC 5321 §4.1.3).
fn hello_name(host: &str) -> ClientId {
    match host.parse() {
        Ok(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    }
}

fn address(text: &str) -> Result<Address, AddressError> {
    text.parse()
}

/// The settings of a mail server.
#[derive(Debug, Clone, Copy)]
pub struct SmtpParts<'a> {
    pub url: &'a SmtpUrl,
    pub password: Option<&'a str>,
    pub from: &'a EmailAddress,
    pub from_name: &'a str,
    /// Our name in the greeting, and the domain of message identifiers.
    pub host: &'a str,
    /// Authorities to trust beside the public ones, PEM.
    pub ca_file: Option<&'a Path>,
}

impl Smtp {
    /// Connects with the first mail.
    ///
    /// # Errors
    ///
    /// [`SetupError`], in words for the operator.
    pub fn new(parts: &SmtpParts<'_>) -> Result<Self, SetupError> {
        let url = parts.url;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(url.host())
            .port(url.port())
            .hello_name(hello_name(parts.host))
            .timeout(Some(STEP_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(MAX_CONNECTIONS))
            .tls(tls(url.security(), url.host(), parts.ca_file)?);
        if let (Some(user), Some(password)) = (url.user(), parts.password) {
            builder = builder.credentials(Credentials::new(user, password.to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            from: Mailbox::new(Some(parts.from_name.to_owned()), address(parts.from.as_str())?),
            host: parts.host.to_owned(),
        })
    }

    /// Hands a mail that was written at `at` to the server.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the server's answer if there is one.
    pub async fn send(&self, id: &MailId, at: Timestamp, letter: &LetterText) -> Result<(), SendError> {
        self.transport.send(self.message(id, letter, at)?).await?;
        Ok(())
    }

    /// Greets the server and signs in, without sending anything.
    ///
    /// # Errors
    ///
    /// [`SendError::Smtp`] if that fails.
    pub async fn greet(&self) -> Result<bool, SendError> {
        Ok(self.transport.test_connection().await?)
    }

    /// The library encodes every header, so a subject or a name cannot begin another
    /// one.
    fn message(&self, id: &MailId, letter: &LetterText, at: Timestamp) -> Result<Message, SendError> {
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            // The same at every attempt, so a second copy is recognised.
            .message_id(Some(format!("<{id}@{}>", self.host)))
            .date(system_time(at))
            .from(self.from.clone())
            .to(Mailbox::new(None, address(letter.to.as_str())?))
            .subject(&letter.subject)
            // Out-of-office replies to it are not wanted (RFC 3834 §5).
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(
                letter.text.clone(),
                letter.html.clone(),
            ))?;
        Ok(message)
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    let micros = u64::try_from(at.as_micros()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp() -> Smtp {
        Smtp::new(&SmtpParts {
            url: &SmtpUrl::parse("smtp://localhost").unwrap(),
            password: None,
            from: &EmailAddress::parse("login@acme.test").unwrap(),
            from_name: "Acm\u{e9} Login",
            host: "auth.acme.test",
            ca_file: None,
        })
        .unwrap()
    }

    fn written(subject: &str) -> String {
        let letter = LetterText {
            to: EmailAddress::parse("ada@example.com").unwrap(),
            subject: subject.to_owned(),
            text: "It is 271828.".to_owned(),
            html: "<p>It is <b>271828</b>.</p>".to_owned(),
        };
        let id = MailId::parse("mail_000000000000000000001").unwrap();
        let message = smtp()
            .message(&id, &letter, Timestamp::from_secs(1_800_000_000))
            .unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[tokio::test]
    async fn a_mail_has_both_texts_and_says_that_it_is_automatic() {
        let mail = written("Your code");
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        for line in [
            "Message-ID: <mail_000000000000000000001@auth.acme.test>",
            "Date: Fri, 15 Jan 2027 08:00:00 +0000",
            "To: ada@example.com",
            "Subject: Your code",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(head.lines().any(|found| found == line), "{line} in\n{head}");
        }
        assert!(head.contains("multipart/alternative"), "{head}");
        assert!(
            body.contains("It is 271828.") && body.contains("<b>271828</b>"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn no_subject_begins_another_header() {
        for subject in [
            "x\r\nBcc: eve@evil.example",
            "x\nBcc: eve@evil.example",
            "x\rBcc: eve@evil.example",
            "x\u{2028}Bcc: eve@evil.example",
            &"long ".repeat(100),
        ] {
            let mail = written(subject);
            let (head, _) = mail.split_once("\r\n\r\n").unwrap();
            let has_bcc = head
                .split(['\r', '\n'])
                .any(|line| line.to_lowercase().starts_with("bcc"));
            assert!(!has_bcc, "{head}");
        }
    }

    #[test]
    fn a_remedy_is_for_the_answer_that_came() {
        for (status, is_tls, words) in [
            (Some(535), false, "password"),
            (Some(450), false, "come back later"),
            (Some(421), false, "come back later"),
            (Some(550), false, "no mail for this address"),
            (Some(554), false, "log of the mail server"),
            (None, true, "certificate"),
            (None, false, "host and port"),
        ] {
            let remedy = smtp_remedy(status, is_tls);
            assert!(remedy.contains(words), "{status:?}: {remedy}");
        }
    }
}
