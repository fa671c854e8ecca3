//! `dev.env`: what an application under development needs, ready to be sourced.

use std::io::{self, Write};
use std::path::Path;

use super::seed::Seeded;
use crate::app::App;

/// The name of the file in the data directory.
pub const FILE: &str = "dev.env";

/// Where Scalekit's examples listen for the answer.
pub const REDIRECT_URI: &str = "http://localhost:4321/api/auth/callback";

/// Reads a value of an existing file.
pub fn read(data_dir: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(FILE)).ok()?;
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

/// Writes the file, mode 0600, unless it says the same already.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(data_dir: &Path, app: &App, seeded: &Seeded, ca_file: &Path) -> io::Result<()> {
    let ca_file = std::path::absolute(ca_file)?;
    let redirect_uri = read(data_dir, "SCALEKIT_REDIRECT_URI").unwrap_or_else(|| REDIRECT_URI.to_owned());
    let text = format!(
        "# Made by `genkan dev`. Source it, or copy it to your application's .env.\n\
         SCALEKIT_ENVIRONMENT_URL={}\n\
         SCALEKIT_CLIENT_ID={}\n\
         SCALEKIT_CLIENT_SECRET={}\n\
         SCALEKIT_REDIRECT_URI={redirect_uri}\n\
         GENKAN_TEST_ORGANIZATION_ID={}\n\
         GENKAN_TEST_CONNECTION_ID={}\n\
         GENKAN_CA_FILE={}\n",
        app.issuer(),
        seeded.client_id,
        seeded.client_secret.expose(),
        seeded.organization_id,
        seeded.connection_id,
        ca_file.display(),
    );
    let path = data_dir.join(FILE);
    if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    replace_private(&path, text.as_bytes())
}

/// Writes a file that only its owner may read, whole or not at all.
fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_extension("env.new");
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
