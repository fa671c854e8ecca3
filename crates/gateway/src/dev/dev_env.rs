//! `dev.env`: the variables that an application under development needs.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use genkan_store::Secret;

use super::file::{self, Readers};
use super::seed::{DevelopmentSeed, REDIRECT_URI};
use super::trust::{TRUSTSTORE_PASSWORD, TrustFiles};
use crate::app::App;

/// The name of the file in the data directory.
pub const FILE: &str = "dev.env";

/// An application's own setting. A sourced variable would win over its `.env`, so this one is
/// only a comment.
const REDIRECT_VARIABLE: &str = "SCALEKIT_REDIRECT_URI";

const CLIENT_SECRET: &str = "SCALEKIT_CLIENT_SECRET";

/// The secret that the file gave to applications.
pub fn client_secret(data_dir: &Path) -> Option<Secret> {
    read(data_dir, CLIENT_SECRET).map(Secret::from_presented)
}

/// Reads a value of an existing file.
pub fn read(data_dir: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(FILE)).ok()?;
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

/// Writes the file, mode 0600, unless it already has this content.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(data_dir: &Path, app: &App, seeded: &DevelopmentSeed, trust: &TrustFiles) -> io::Result<()> {
    // A developer may have written their own address here, when this file still gave one.
    let chosen = read(data_dir, REDIRECT_VARIABLE).filter(|chosen| chosen != REDIRECT_URI);
    let text = render(app.issuer(), seeded, trust, chosen.as_deref());
    file::replace(&data_dir.join(FILE), text.as_bytes(), Readers::Owner)
}

fn render(issuer: &str, seeded: &DevelopmentSeed, trust: &TrustFiles, redirect_uri: Option<&str>) -> String {
    let mut text = "# Made by `genkan dev`. Source it (`set -a; . ./dev.env; set +a`), or copy it to your\n\
                    # application's .env. The second line is the first as some of Scalekit's examples call it.\n"
        .to_owned();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={}", quoted(value));
    };
    line("SCALEKIT_ENVIRONMENT_URL", issuer);
    line("SCALEKIT_ENV_URL", issuer);
    line("SCALEKIT_CLIENT_ID", seeded.client_id.as_str());
    line(CLIENT_SECRET, seeded.client_secret.expose());
    line("GENKAN_TEST_ORGANIZATION_ID", seeded.organization_id.as_str());
    line("GENKAN_TEST_CONNECTION_ID", seeded.connection_id.as_str());
    line("GENKAN_CA_FILE", &trust.ca_file.display().to_string());
    line(
        "GENKAN_TRUSTSTORE_FILE",
        &trust.truststore_file.display().to_string(),
    );
    match redirect_uri {
        Some(chosen) => line(REDIRECT_VARIABLE, chosen),
        None => {
            let _ = writeln!(
                text,
                "# Where the answer goes is your application's to say. Any address of this machine is taken:\n\
                 # {REDIRECT_VARIABLE}={REDIRECT_URI}"
            );
        }
    }
    if issuer.starts_with("https://") {
        text.push_str(
            "# Who signed the certificate. Node reads its variable when it starts, before any .env: source this file.\n",
        );
        for (name, path) in trust.variables() {
            let _ = writeln!(text, "{name}={}", quoted(&path.display().to_string()));
        }
        let _ = writeln!(
            text,
            "# java -Djavax.net.ssl.trustStore=$GENKAN_TRUSTSTORE_FILE -Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}"
        );
    }
    text
}

/// A value in a form that a shell and a reader of `.env` files read alike.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,~".contains(c);
    if value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_space_is_quoted() {
        assert_eq!(quoted("/home/ada/my app/ca.pem"), "\"/home/ada/my app/ca.pem\"");
        assert_eq!(quoted("http://localhost:8080"), "http://localhost:8080");
    }
}
