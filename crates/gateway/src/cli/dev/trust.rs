//! `genkan dev trust`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::output::time;
use super::{Context, Failure};
use crate::dev::dev_env;
use crate::dev::trust::stores::{self, Store};
use crate::dev::trust::{Authority, PATH, TRUSTSTORE_PASSWORD, TrustFiles};

const EXAMPLES: &str = "\
Examples:
  genkan dev trust                  show how each kind of client can trust it
  genkan dev trust --install        let this user's browsers trust it
  genkan dev trust --uninstall      undo that
  genkan dev trust --pem > genkan-dev-ca.pem

At its first start `genkan dev` creates its own certificate authority, ca.pem
and ca-key.pem in the data folder. The authority can issue certificates only
for localhost and the host of --public-url.

--install changes only the trust stores of this user. On Linux these are the
NSS databases of Chromium (~/.pki/nssdb, created if there is none, or
~/.local/share/pki/nssdb) and of each profile of Firefox. They are changed with
`certutil` from Debian's libnss3-tools. On macOS they are the login keychain,
changed with `security`, and the profiles of Firefox. --uninstall removes every
authority called \"Genkan development CA …\" from them.";

/// Let clients on this machine trust the https of `genkan dev`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrustArgs {
    /// Let this user's browsers (on macOS: the login keychain) trust it
    #[arg(long, conflicts_with_all = ["uninstall", "pem"])]
    install: bool,
    /// Remove the authorities that --install has added, also those of deleted data folders
    #[arg(long, conflicts_with = "pem")]
    uninstall: bool,
    /// Print only the certificate of the authority
    #[arg(long)]
    pem: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    valid_until: String,
    sha256: &'a str,
    ca_file: &'a Path,
    bundle_file: &'a Path,
    truststore_file: &'a Path,
    truststore_password: &'a str,
    stores: Vec<NamedStore<'a>>,
}

#[derive(Serialize)]
struct NamedStore<'a> {
    of: &'a str,
    path: &'a Path,
}

#[derive(Serialize)]
struct StoreChange {
    of: &'static str,
    path: PathBuf,
    /// `None` if it succeeded.
    error: Option<String>,
    #[serde(skip)]
    done: String,
}

pub(super) fn run(args: &TrustArgs, context: &mut Context) -> Result<(), Failure> {
    if args.uninstall {
        return uninstall(context);
    }
    let folder = context.target.development_folder()?;
    let files = TrustFiles::within(&folder)?;
    let authority = Authority::read(&files.ca_file).map_err(|error| {
        Failure::new(format!(
            "There is no development authority in {}: {error}",
            folder.display()
        ))
        .remedy("`genkan dev` makes it at its first start; --data-dir names another folder.")
    })?;
    if args.pem {
        return context.console.write(&std::fs::read_to_string(&files.ca_file)?);
    }
    let stores = stores::find(&home()?);
    if args.install {
        let changed: Vec<_> = stores
            .into_iter()
            .map(|store| {
                changed(
                    &store,
                    store
                        .install(&authority.name, &files.ca_file)
                        .map(|()| "trusts it now".to_owned()),
                )
            })
            .collect();
        return tell(&changed, context);
    }
    let report = Report {
        name: &authority.name,
        valid_until: time(authority.valid_until),
        sha256: &authority.sha256,
        ca_file: &files.ca_file,
        bundle_file: &files.bundle_file,
        truststore_file: &files.truststore_file,
        truststore_password: TRUSTSTORE_PASSWORD,
        stores: stores
            .iter()
            .map(|store| NamedStore {
                of: store.of,
                path: &store.path,
            })
            .collect(),
    };
    context
        .console
        .print(&report, || text(&authority, &files, &stores, &folder))
}

fn uninstall(context: &mut Context) -> Result<(), Failure> {
    let said = |count| match count {
        0 => "had none".to_owned(),
        1 => "forgot one".to_owned(),
        many => format!("forgot {many}"),
    };
    let changed: Vec<_> = stores::find(&home()?)
        .into_iter()
        .map(|store| changed(&store, store.uninstall().map(said)))
        .collect();
    tell(&changed, context)
}

fn changed(store: &Store, result: Result<String, stores::StoreError>) -> StoreChange {
    let (done, error) = match result {
        Ok(done) => (done, None),
        Err(error) => (error.to_string(), Some(error.to_string())),
    };
    StoreChange {
        of: store.of,
        path: store.path.clone(),
        error,
        done,
    }
}

fn tell(changed: &[StoreChange], context: &mut Context) -> Result<(), Failure> {
    context.console.print(&changed, || {
        changed
            .iter()
            .map(|one| format!("{}  {}: {}\n", one.of, one.path.display(), one.done))
            .collect()
    })?;
    if changed.iter().any(|one| one.error.is_some()) {
        return Err(Failure::new("Not every store could be changed: see above."));
    }
    context
        .console
        .note("Programs that run already may have to be started again.");
    Ok(())
}

fn home() -> Result<PathBuf, Failure> {
    std::env::home_dir().ok_or_else(|| Failure::new("This user has no home folder (HOME is not set)."))
}

fn text(authority: &Authority, files: &TrustFiles, stores: &[Store], folder: &Path) -> String {
    let ca = shell(&files.ca_file);
    let mut text = format!(
        "{}, valid until {}\nSHA-256 {}\n\n",
        authority.name,
        time(authority.valid_until),
        authority.sha256
    );
    let mut say = |who: &str, lines: &[String]| {
        for (index, line) in lines.iter().enumerate() {
            let who = if index == 0 { who } else { "" };
            let _ = writeln!(text, "{who:<9} {line}");
        }
        text.push('\n');
    };
    let mut browsers = vec![
        "genkan dev trust --install".to_owned(),
        "(--uninstall undoes it; it changes these)".to_owned(),
    ];
    browsers.extend(
        stores
            .iter()
            .map(|store| format!("  {}  {}", store.of, store.path.display())),
    );
    say("Browsers", &browsers);
    say("curl", &[format!("curl --cacert {ca} …")]);
    say(
        "Node",
        &[
            format!("export NODE_EXTRA_CA_CERTS={ca}"),
            "(read when Node starts: a .env file that the program reads is too late)".to_owned(),
        ],
    );
    let bundle = shell(&files.bundle_file);
    say(
        "Python",
        &[format!(
            "export SSL_CERT_FILE={bundle} REQUESTS_CA_BUNDLE={bundle} GRPC_DEFAULT_SSL_ROOTS_FILE_PATH={bundle}"
        )],
    );
    say(
        "Go",
        &[
            format!("export SSL_CERT_FILE={bundle}"),
            "(macOS ignores it and asks the keychain: genkan dev trust --install)".to_owned(),
        ],
    );
    let store = shell(&files.truststore_file);
    say(
        "Java",
        &[
            format!("java -Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD} …"),
            "Scalekit's SDK for Java knows port 443 only, so start `genkan dev --https --listen 127.0.0.1:443`.".to_owned(),
        ],
    );
    say(
        "Others",
        &[
            "Debian, Ubuntu, for all users:".to_owned(),
            format!("  sudo cp {ca} /usr/local/share/ca-certificates/genkan-dev.crt && sudo update-ca-certificates"),
            "Another user, or a container, may not enter the data folder, which holds keys. It asks the server:".to_owned(),
            format!("  curl -o genkan-dev-ca.pem {}", address(folder)),
        ],
    );
    let variables = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let _ = writeln!(
        text,
        "After `genkan dev --https` these variables stand in dev.env: `set -a; . {}; set +a`.\n\
         The bundle and the truststore hold the system's authorities too, so nothing else stops working.",
        shell(&variables.join(dev_env::FILE))
    );
    text
}

/// The address of the certificate on the server, in plain HTTP if its port supports that.
fn address(folder: &Path) -> String {
    let issuer = dev_env::read(folder, "SCALEKIT_ENVIRONMENT_URL");
    let issuer = issuer.unwrap_or_else(|| "http://localhost:8080".to_owned());
    match issuer.strip_prefix("https://") {
        Some(host) if host.contains(':') => format!("http://{host}{PATH}"),
        Some(_) => format!("--insecure {issuer}{PATH}"),
        None => format!("{issuer}{PATH}"),
    }
}

/// A path, quoted for a shell.
fn shell(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    if path.chars().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
