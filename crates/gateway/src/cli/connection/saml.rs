//! The options for a SAML provider.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use genkan_protocol::saml::IdpCertificate;
use genkan_store::connection::{
    Connection, Edit, NameIdFormat, RequestBinding, SamlCertificate, SamlChange, SamlSettings,
    ServiceProvider, SigningOption,
};

use super::words::{Words, optional, pairs};
use crate::cli::Failure;
use crate::cli::output::{time, yes_no};
use crate::documents::saml_metadata;

pub(super) const WORDS: Words = Words {
    options: &[
        ("idp_metadata", "--saml-metadata-file"),
        ("idp_metadata_url", "--saml-metadata-url"),
        ("idp_entity_id", "--saml-entity-id"),
        ("idp_sso_url", "--saml-sso-url"),
        ("idp_certificate", "--saml-certificate-file"),
        ("default_redirect_uri", "--saml-default-redirect-uri"),
        ("requested_context", "--saml-requested-context"),
        ("sp_entity_id", "--saml-sp-entity-id"),
        ("sp_assertion_url", "--saml-sp-assertion-url"),
    ],
    leave_out: "Leave the options that begin with --saml- out.",
    address: "Assertion URL",
};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Unspecified,
    Email,
    Transient,
    Persistent,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Binding {
    Redirect,
    Post,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Signed {
    Response,
    Assertion,
    Both,
    Either,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "SAML")]
pub(super) struct SamlArgs {
    /// Where the provider publishes its metadata: they are read now, and again when the address is entered
    /// again
    #[arg(long, value_name = "URL")]
    saml_metadata_url: Option<String>,
    /// A file with the provider's metadata: entity id, addresses and certificates are read from it
    #[arg(long, value_name = "FILE", conflicts_with = "saml_metadata_url")]
    saml_metadata_file: Option<PathBuf>,
    /// What the provider calls itself
    #[arg(long, value_name = "ID")]
    saml_entity_id: Option<String>,
    /// Where people are sent to sign in
    #[arg(long, value_name = "URL")]
    saml_sso_url: Option<String>,
    /// How they are sent there; as the metadata say, unless you choose
    #[arg(long, value_name = "BINDING")]
    saml_sso_binding: Option<Binding>,
    /// A file with the provider's certificates, as PEM; two while it rotates
    #[arg(long, value_name = "FILE")]
    saml_certificate_file: Option<PathBuf>,
    /// Forget the provider's certificates
    #[arg(long, conflicts_with = "saml_certificate_file")]
    no_saml_certificates: bool,
    /// The format of names to ask for; unspecified leaves it to the provider
    #[arg(long, value_name = "FORMAT")]
    saml_name_id_format: Option<Format>,
    /// Which part of an answer must be signed; either, unless you choose
    #[arg(long, value_name = "PART")]
    saml_signed: Option<Signed>,
    /// Sign our requests: register our certificate at the provider first
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    saml_sign_requests: Option<bool>,
    /// Refuse assertions that are not encrypted to our certificate
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    saml_encrypted: Option<bool>,
    /// Have the provider ask for credentials at every sign-in
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    saml_force_authn: Option<bool>,
    /// The kind of authentication to ask for, as a URI; empty leaves it to the provider, which most want
    #[arg(long, value_name = "URI")]
    saml_requested_context: Option<String>,
    /// Let sign-ins begin at the provider, as by a tile on its page
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    saml_idp_initiated: Option<bool>,
    /// The initiate-login address of the application for sign-ins that begin at the provider
    #[arg(long, value_name = "URL")]
    saml_default_redirect_uri: Option<String>,
    /// Our entity id, if the provider knows us by another than Genkan's
    #[arg(long, value_name = "ID")]
    saml_sp_entity_id: Option<String>,
    /// Our assertion URL, if the provider posts to another that leads here
    #[arg(long, value_name = "URL")]
    saml_sp_assertion_url: Option<String>,
    /// Accept signatures with SHA-1, which can be forged with effort: only until the provider has SHA-256
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    saml_allow_sha1: Option<bool>,
    /// Accept encryption with AES-CBC, for providers without AES-GCM; the provider must sign the response
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    saml_allow_cbc: Option<bool>,
}

impl SamlArgs {
    pub(super) fn is_given(&self) -> bool {
        self.no_saml_certificates
            || self.of_values() != SamlChange::default()
            || self.saml_metadata_file.is_some()
            || self.saml_certificate_file.is_some()
    }

    /// The change of the options.
    pub(super) fn change(&self) -> Result<SamlChange, Failure> {
        let text = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        Ok(SamlChange {
            idp_metadata: text(&self.saml_metadata_file)?,
            idp_certificate: match text(&self.saml_certificate_file)? {
                Some(text) => Edit::Set(text),
                None if self.no_saml_certificates => Edit::Clear,
                None => Edit::Leave,
            },
            ..self.of_values()
        })
    }

    /// The change of the options that are values themselves.
    fn of_values(&self) -> SamlChange {
        let text = |value: &Option<String>| Edit::of_text(value.clone());
        SamlChange {
            idp_metadata_url: text(&self.saml_metadata_url),
            idp_entity_id: text(&self.saml_entity_id),
            idp_sso_url: text(&self.saml_sso_url),
            idp_sso_request_binding: self.saml_sso_binding.map(|binding| match binding {
                Binding::Redirect => RequestBinding::HttpRedirect,
                Binding::Post => RequestBinding::HttpPost,
            }),
            name_id_format: self.saml_name_id_format.map(|format| match format {
                Format::Unspecified => NameIdFormat::Unspecified,
                Format::Email => NameIdFormat::Email,
                Format::Transient => NameIdFormat::Transient,
                Format::Persistent => NameIdFormat::Persistent,
            }),
            signing: self.saml_signed.map(|part| match part {
                Signed::Response => SigningOption::Response,
                Signed::Assertion => SigningOption::Assertion,
                Signed::Both => SigningOption::Both,
                Signed::Either => SigningOption::Either,
            }),
            want_request_signed: self.saml_sign_requests,
            assertion_encrypted: self.saml_encrypted,
            force_authn: self.saml_force_authn,
            requested_context: text(&self.saml_requested_context),
            allow_idp_initiated_login: self.saml_idp_initiated,
            default_redirect_uri: text(&self.saml_default_redirect_uri),
            sp_entity_id: text(&self.saml_sp_entity_id),
            sp_assertion_url: text(&self.saml_sp_assertion_url),
            allow_sha1: self.saml_allow_sha1,
            allow_cbc: self.saml_allow_cbc,
            ..SamlChange::default()
        }
    }
}

/// The settings as text.
pub(super) fn rows(
    connection: &Connection,
    saml: &SamlSettings,
    own: &ServiceProvider,
) -> Vec<(&'static str, String)> {
    let certificates = saml.certificates.iter().map(shown);
    let mut rows = vec![
        ("Metadata URL", optional(&saml.idp_metadata_url)),
        ("Entity id", optional(&saml.idp_entity_id)),
        ("Sign-on URL", optional(&saml.idp_sso_url)),
        ("Logout URL", optional(&saml.idp_slo_url)),
        ("Certificates", certificates.collect::<Vec<_>>().join("; ")),
        ("Name id", saml.name_id_format.as_str().to_owned()),
        ("Signatures", saml.signing.as_str().to_owned()),
        ("Signs requests", yes_no(saml.want_request_signed)),
        ("Encrypted", yes_no(saml.assertion_encrypted)),
        ("From the provider", yes_no(saml.allow_idp_initiated_login)),
        ("Attributes", pairs(&connection.settings.common.attribute_mapping)),
    ];
    for (is_allowed, name) in [(saml.allow_sha1, "SHA-1"), (saml.allow_cbc, "AES-CBC")] {
        if is_allowed {
            rows.push((
                "Allows",
                format!("{name}: turn it off as soon as the provider can do better"),
            ));
        }
    }
    rows.push(("Our entity id", own.entity_id.clone()));
    rows.push(("Our metadata", own.metadata_url.clone()));
    rows
}

/// A certificate of the provider, with the hash by which people compare it.
fn shown(certificate: &SamlCertificate) -> String {
    let read = IdpCertificate::parse_all(&certificate.pem).unwrap_or_default();
    let hash = read
        .first()
        .map_or_else(|| "unknown".to_owned(), IdpCertificate::fingerprint);
    let until = time(certificate.expires_at);
    format!("{}, until {until}, SHA-256 {hash}", certificate.issuer)
}

/// What the administrator of the provider enters there.
pub(super) fn to_register(own: &ServiceProvider) -> String {
    format!(
        "Enter at the identity provider, or have it read our metadata:\n\
         \x20 Assertion URL (ACS)   {}\n\
         \x20 Entity id (audience)  {}\n\
         \x20 Metadata              {}",
        own.acs_url, own.entity_id, own.metadata_url
    )
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error| {
        Failure::new(format!("{} cannot be read: {error}", path.display()))
            .remedy("Name a text file that this user may read.")
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    // One more than is accepted, so that a longer file is refused as too long.
    file.take(saml_metadata::MAX_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}
