//! The SAML provider that the load generator plays: it reads a request and signs an answer.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::saml::binding::decode_request;
use genkan_protocol::saml::idp::{IdpResponse, Protection, metadata};
use genkan_protocol::saml::{
    AuthnRequest, IdpCertificate, KeyPurpose, NameId, NameIdFormat, OwnKey, SigningKey,
};

use crate::Failure;
use crate::http::{Connection, get};
use crate::seed::now;
use crate::target::Target;

const ENTITY_ID: &str = "https://idp.bench.example.com/metadata";
const SSO_URL: &str = "https://idp.bench.example.com/sso";
/// Each server knows attributes by these names.
const CLAIMS: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";

#[derive(clap::Args)]
pub struct Args {
    /// The folder for key, certificate and metadata
    folder: PathBuf,
}

pub fn make(args: &Args) -> Result<(), Failure> {
    let key = OwnKey::generate("idp.bench.example.com", KeyPurpose::Signing, now())?;
    std::fs::create_dir_all(&args.folder)?;
    std::fs::write(args.folder.join("key.der"), &*key.pkcs8)?;
    std::fs::write(args.folder.join("certificate.der"), &key.certificate)?;
    let metadata = metadata(ENTITY_ID, SSO_URL, &key.certificate);
    std::fs::write(args.folder.join("metadata.xml"), metadata)?;
    Ok(())
}

pub struct Provider {
    key: SigningKey,
    /// The certificate that assertions are encrypted to, as DER.
    encrypt_to: Option<Vec<u8>>,
}

/// The form that the browser posts.
pub struct Answer {
    pub acs_url: String,
    pub form_value: String,
}

impl Provider {
    /// Reads what [`make`] wrote, and the server's metadata at a path if it is to be encrypted.
    pub async fn read(folder: &Path, target: &Target, encrypt_for: Option<&str>) -> Result<Self, Failure> {
        let read = |name: &str| std::fs::read(folder.join(name));
        let encrypt_to = match encrypt_for {
            Some(path) => Some(certificate(target, path).await?),
            None => None,
        };
        Ok(Self {
            key: SigningKey::from_pkcs8(&read("key.der")?, &read("certificate.der")?)?,
            encrypt_to,
        })
    }

    /// Answers a request of the redirect binding: the assertion is signed, and then encrypted where that is asked.
    pub fn answer(&self, request: &str, secret: &str, person: &str) -> Result<Answer, Failure> {
        let request = decode_request(request, true).ok_or("the request cannot be decoded")?;
        let request = AuthnRequest::parse(&request)?;
        let email = format!("{person}@bench.example.com");
        let name_id = NameId::new(email.clone(), NameIdFormat::Email);
        let mut response = IdpResponse::to_request(&request, ENTITY_ID, secret, name_id, now());
        response.attributes = [
            ("emailaddress", email.as_str()),
            ("givenname", "Person"),
            ("surname", person),
        ]
        .map(|(name, value)| (format!("{CLAIMS}/{name}"), vec![value.to_owned()]))
        .to_vec();
        let xml = response.render(&Protection {
            assertion_key: Some(&self.key),
            encrypt_to: self.encrypt_to.as_deref(),
            ..Protection::default()
        })?;
        Ok(Answer {
            acs_url: request.acs_url,
            form_value: STANDARD.encode(xml),
        })
    }
}

/// The certificate for encryption in the server's metadata, as DER.
async fn certificate(target: &Target, path: &str) -> Result<Vec<u8>, Failure> {
    let mut connection = Connection::open(target.address()).await?;
    let answer = connection.exchange(&get(target.address(), path, "")).await?;
    let text = std::str::from_utf8(answer.expect(200)?.body())?;
    let base64 = text
        .split_once(r#"use="encryption""#)
        .and_then(|(_, descriptor)| descriptor.split_once("X509Certificate>"))
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(base64, _)| base64)
        .ok_or("the metadata have no key for encryption")?;
    Ok(IdpCertificate::from_base64(base64)?.der().to_vec())
}
