//! The options for a SAML provider.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use genkan_store::connection::{Connection, Edit, SamlChange, SamlSettings};

use super::words::{Words, optional, pairs};
use crate::cli::Failure;
use crate::cli::output::{time, yes_no};

/// Larger than the metadata of any provider.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub(super) const WORDS: Words = Words {
    options: &[
        ("idp_metadata", "--saml-metadata-file"),
        ("idp_metadata_url", "--saml-metadata-url"),
        ("idp_entity_id", "--saml-entity-id"),
        ("idp_sso_url", "--saml-sso-url"),
        ("idp_certificate", "--saml-certificate-file"),
    ],
    leave_out: "Leave the options that begin with --saml- out.",
    address: "Assertion URL",
};

#[derive(Debug, Args)]
#[command(next_help_heading = "SAML")]
pub(super) struct SamlArgs {
    /// A file with the provider's metadata: entity id, addresses and certificates are read from it
    #[arg(long, value_name = "FILE")]
    saml_metadata_file: Option<PathBuf>,
    /// Where the provider publishes its metadata
    #[arg(long, value_name = "URL")]
    saml_metadata_url: Option<String>,
    /// What the provider calls itself
    #[arg(long, value_name = "ID")]
    saml_entity_id: Option<String>,
    /// Where people are sent to sign in
    #[arg(long, value_name = "URL")]
    saml_sso_url: Option<String>,
    /// A file with the provider's certificates, as PEM; two while it rotates
    #[arg(long, value_name = "FILE")]
    saml_certificate_file: Option<PathBuf>,
    /// Forget the provider's certificates
    #[arg(long, conflicts_with = "saml_certificate_file")]
    no_saml_certificates: bool,
}

impl SamlArgs {
    pub(super) fn is_given(&self) -> bool {
        self.saml_metadata_file.is_some()
            || self.saml_metadata_url.is_some()
            || self.saml_entity_id.is_some()
            || self.saml_sso_url.is_some()
            || self.saml_certificate_file.is_some()
            || self.no_saml_certificates
    }

    /// The change of the options.
    pub(super) fn change(&self) -> Result<SamlChange, Failure> {
        let text = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        Ok(SamlChange {
            idp_metadata: text(&self.saml_metadata_file)?,
            idp_metadata_url: Edit::of_text(self.saml_metadata_url.clone()),
            idp_entity_id: Edit::of_text(self.saml_entity_id.clone()),
            idp_sso_url: Edit::of_text(self.saml_sso_url.clone()),
            idp_certificate: match text(&self.saml_certificate_file)? {
                Some(text) => Edit::Set(text),
                None if self.no_saml_certificates => Edit::Clear,
                None => Edit::Leave,
            },
            ..SamlChange::default()
        })
    }
}

/// The settings as text.
pub(super) fn rows(connection: &Connection, saml: &SamlSettings) -> Vec<(&'static str, String)> {
    let certificates = saml
        .certificates
        .iter()
        .map(|certificate| format!("{}, until {}", certificate.issuer, time(certificate.expires_at)));
    vec![
        ("Metadata URL", optional(&saml.idp_metadata_url)),
        ("Entity id", optional(&saml.idp_entity_id)),
        ("Sign-on URL", optional(&saml.idp_sso_url)),
        ("Logout URL", optional(&saml.idp_slo_url)),
        ("Certificates", certificates.collect::<Vec<_>>().join("; ")),
        ("Name id", saml.name_id_format.as_str().to_owned()),
        ("Signatures", saml.signing.as_str().to_owned()),
        ("Signs requests", yes_no(saml.want_request_signed)),
        ("Attributes", pairs(&connection.settings.common.attribute_mapping)),
    ]
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error| {
        Failure::new(format!("{} cannot be read: {error}", path.display()))
            .remedy("Name a text file that this user may read.")
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}
