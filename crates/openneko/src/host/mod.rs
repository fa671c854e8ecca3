//! The plugin host: finds the plugin, chooses an engine, calls it, and checks the answer.
//!
//! Every call reads manifest and secrets anew, and once. So an installation, a grant
//! or a rotated secret counts at once and without a restart, and nothing changes
//! within a call. The compiled plugin and its registration are expensive; the host
//! keeps them while version, package and grants stay the same. A call has one
//! time-out, which includes the start of the plugin.

mod artifact;
mod build;
mod deadline;
pub mod egress_log;
pub mod engines;
mod error;
mod reading;
mod running;
mod scrub;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openneko_plugin::manifest::{BadEntry, Entry, Manifest};
use openneko_plugin::rpc::{BeginAuth, BeginAuthAnswer, CompleteAuth, CompleteAuthAnswer, Registration};
use openneko_sandbox::egress::{Resolver, SystemResolver, TrustRoots};
use openneko_sandbox::{BackendKind, Call, CallOutcome, Limits};

pub use artifact::NotFound;
pub use build::{UnknownEngine, engines};
pub use egress_log::EgressLog;
pub use engines::{Engines, NoEngine};
pub use error::Error;
pub use reading::Reading;

use crate::clock;
use crate::file;
use crate::id_token;
use crate::paths::Paths;
use crate::secrets;
use deadline::Deadline;
use parking_lot::Mutex;
use running::{Fingerprint, Slot};

/// How long a call of a plugin may take in a sign-in, its start and registration included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The same at a terminal, and if nobody waits: the first start on a machine compiles the engine.
pub const PATIENT_TIMEOUT: Duration = Duration::from_secs(120);

/// The plugins of one manifest, ready to be called. Clones share everything.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    paths: Paths,
    secrets: secrets::Store,
    engines: Engines,
    limits: Limits,
    resolver: Arc<dyn Resolver>,
    log: EgressLog,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("manifest", &self.0.paths.manifest)
            .finish_non_exhaustive()
    }
}

/// The plugin that signs people in, from one reading.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The package name.
    pub plugin_name: String,
    /// The words on the button after "Sign in with".
    pub provider_label: String,
    /// Environment values that it requires and that are not set.
    pub pending: Vec<String>,
    /// The entry and the values for its calls.
    pub reading: Arc<Reading>,
}

/// A plugin, and the engine that would run it.
#[derive(Debug)]
pub struct PluginDescription {
    pub entry: Entry,
    /// The engine, and why the ones before it cannot.
    pub engine: Result<(BackendKind, Vec<(BackendKind, String)>), Error>,
    /// Another sign-in plugin stands before it in the manifest.
    pub is_passed_over: bool,
}

impl Host {
    /// A host for the files of `paths`.
    ///
    /// # Errors
    ///
    /// If the store of the secrets cannot be opened.
    pub fn new(paths: Paths, engines: Engines) -> Result<Self, Error> {
        Ok(Self::with_resolver(paths, engines, Arc::new(SystemResolver))?)
    }

    /// The same with another resolver.
    pub(crate) fn with_resolver(
        paths: Paths,
        engines: Engines,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, secrets::Error> {
        Ok(Self(Arc::new(Inner {
            secrets: secrets::Store::open(&paths)?,
            log: EgressLog::new(&paths.state_dir),
            limits: Limits::default(),
            slots: Mutex::default(),
            paths,
            engines,
            resolver,
        })))
    }

    pub fn paths(&self) -> &Paths {
        &self.0.paths
    }

    pub fn engines(&self) -> &Engines {
        &self.0.engines
    }

    /// The refused attempts of plugins.
    pub fn egress_log(&self) -> &EgressLog {
        &self.0.log
    }

    /// The manifest, and its entries that cannot be used.
    ///
    /// # Errors
    ///
    /// If it cannot be read. A manifest that does not exist is an empty one.
    pub fn manifest(&self) -> Result<(Manifest, Vec<BadEntry>), Error> {
        Ok(crate::manifest::read(&self.0.paths)?.unwrap_or_else(|| (Manifest::new(), Vec::new())))
    }

    /// The plugin that signs people in, set up or not; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If manifest or secrets cannot be read: that does not mean that there are none.
    pub fn provider(&self) -> Result<Option<Provider>, Error> {
        let (manifest, bad) = self.manifest()?;
        let Some(entry) = manifest.auth_provider() else {
            // An unreadable entry may have been the sign-in plugin.
            return match bad.first() {
                Some(bad) if manifest.mentions_auth() => Err(Error::File {
                    path: self.0.paths.manifest.display().to_string(),
                    reason: bad.to_string(),
                }),
                _ => Ok(None),
            };
        };
        let reading = Reading::of(entry.clone(), &self.0.secrets)?;
        Ok(Some(Provider {
            plugin_name: entry.name.to_string(),
            provider_label: self.label(entry),
            pending: reading.missing(),
            reading: Arc::new(reading),
        }))
    }

    /// The label of the provider: the plugin's own once it runs, until then the package's.
    fn label(&self, entry: &Entry) -> String {
        let slot = self.0.slots.lock().get(entry.name.as_str()).cloned();
        let registered = slot.and_then(|slot| slot.label());
        let declared = || entry.capabilities.auth.as_ref()?.provider_label.clone();
        registered.or_else(declared).unwrap_or_else(|| entry.name.label())
    }

    /// Asks the sign-in plugin where to send a browser.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn begin_auth(&self, provider: &Provider, begin: &BeginAuth) -> Result<BeginAuthAnswer, Error> {
        let answer = self
            .call_provider(provider, BeginAuth::METHOD, &begin.params())
            .await?;
        Ok(BeginAuth::answer(&answer).map_err(|error| scrub::rpc_error(error, &provider.reading.values))?)
    }

    /// Asks the sign-in plugin who came back.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn complete_auth(
        &self,
        provider: &Provider,
        complete: &CompleteAuth,
    ) -> Result<CompleteAuthAnswer, Error> {
        let answer = self
            .call_provider(provider, CompleteAuth::METHOD, &complete.params())
            .await?;
        let answer = CompleteAuth::answer(&answer)
            .map_err(|error| scrub::rpc_error(error, &provider.reading.values))?;
        id_token::check(complete, &answer, clock::now().as_second())?;
        Ok(answer)
    }

    async fn call_provider(&self, provider: &Provider, method: &str, params: &str) -> Result<Vec<u8>, Error> {
        if !provider.pending.is_empty() {
            return Err(Error::NotConfigured {
                plugin: provider.plugin_name.clone(),
                keys: provider.pending.clone(),
            });
        }
        let deadline = Deadline::after(CALL_TIMEOUT);
        Ok(self
            .run(&provider.reading, method, params, deadline)
            .await?
            .stdout)
    }

    /// Calls any method of any installed plugin, as `openneko call` does.
    ///
    /// # Errors
    ///
    /// See [`Error`]. The plugin's own answer, also a failure, is an outcome.
    pub async fn call(&self, plugin: &str, method: &str, params: &str) -> Result<CallOutcome, Error> {
        let deadline = Deadline::after(PATIENT_TIMEOUT);
        let (manifest, bad) = self.manifest()?;
        let Some(entry) = manifest.get(plugin) else {
            let bad = bad.iter().find(|bad| bad.name.as_deref() == Some(plugin));
            return Err(match bad {
                Some(bad) => Error::File {
                    path: self.0.paths.manifest.display().to_string(),
                    reason: bad.to_string(),
                },
                None => Error::NotInstalled(plugin.to_owned()),
            });
        };
        let entry = entry.clone();
        // `register` gets no values, here as at the start.
        let reading = match method {
            Registration::METHOD => Reading {
                entry,
                values: Vec::new(),
            },
            _ => Reading::of(entry, &self.0.secrets)?,
        };
        self.run(&reading, method, params, deadline).await
    }

    /// Gets the sign-in plugin ready, so that the first person does not wait for it.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn warm(&self) -> Result<(), Error> {
        let (manifest, _) = self.manifest()?;
        let entry = manifest.auth_provider().ok_or(Error::NoProvider)?;
        let slot = self.slot(entry)?;
        slot.ready(&self.0, Deadline::after(PATIENT_TIMEOUT))
            .await
            .map(drop)
    }

    /// All plugins with the engine each would use here.
    ///
    /// # Errors
    ///
    /// If the manifest cannot be read.
    pub async fn describe(&self) -> Result<Vec<PluginDescription>, Error> {
        let (manifest, _) = self.manifest()?;
        let provider = manifest.auth_provider().map(|entry| entry.name.clone());
        let mut described = Vec::new();
        for entry in manifest.entries() {
            let found = artifact::find(&self.0.paths, entry).map_err(Error::from);
            let engine = match found {
                Ok(found) => {
                    let chosen = self.0.engines.choose(&found.artifact).await;
                    chosen
                        .map(|chosen| (chosen.backend.kind(), chosen.passed))
                        .map_err(Error::from)
                }
                Err(error) => Err(error),
            };
            described.push(PluginDescription {
                engine,
                is_passed_over: entry.capabilities.auth.is_some() && provider.as_ref() != Some(&entry.name),
                entry: entry.clone(),
            });
        }
        Ok(described)
    }

    /// The values that a plugin requires and that are not set.
    ///
    /// # Errors
    ///
    /// If the secrets cannot be read.
    pub fn missing(&self, entry: &Entry) -> Result<Vec<String>, Error> {
        Ok(Reading::of(entry.clone(), &self.0.secrets)?.missing())
    }

    async fn run(
        &self,
        reading: &Reading,
        method: &str,
        params: &str,
        deadline: Deadline,
    ) -> Result<CallOutcome, Error> {
        let Reading { entry, values } = reading;
        let slot = self.slot(entry)?;
        let ready = slot.ready(&self.0, deadline).await?;
        let call = Call {
            method,
            params_json: params,
            params_by: ready.params_by(),
            env: values,
            timeout: deadline.left(),
        };
        let at = clock::now();
        let plugin = entry.name.as_str();
        match ready.call(call).await {
            Ok(outcome) => {
                self.0.log.record(at, plugin, method, &outcome.denials);
                Ok(outcome)
            }
            Err(failure) => {
                self.0.log.record(at, plugin, method, &failure.denials);
                let error = scrub::sandbox_error(failure.error, values);
                Err(Error::Sandbox(deadline.whole(error)))
            }
        }
    }

    /// The slot of an entry in its present form; an older one is dropped.
    fn slot(&self, entry: &Entry) -> Result<Arc<Slot>, Error> {
        let fingerprint = Fingerprint::of(entry, self.roots()?)?;
        let mut slots = self.0.slots.lock();
        if let Some(slot) = slots.get(entry.name.as_str())
            && slot.is_of(&fingerprint)
        {
            return Ok(Arc::clone(slot));
        }
        let slot = Arc::new(Slot::new(entry.clone(), fingerprint));
        slots.insert(entry.name.to_string(), Arc::clone(&slot));
        Ok(slot)
    }

    /// The PEM text of certificate authorities to trust beside the public ones.
    fn roots(&self) -> Result<Option<Vec<u8>>, Error> {
        const MAX_PEM: u64 = 4 << 20;
        let Some(path) = self.0.paths.extra_ca_certs() else {
            return Ok(None);
        };
        let failed = |reason: String| Error::File {
            path: path.display().to_string(),
            reason,
        };
        let pem = file::read(&path, MAX_PEM).map_err(|error| failed(error.to_string()))?;
        pem.map(Some)
            .ok_or_else(|| failed("there is no such file".to_owned()))
    }
}

/// A grant of the operator, as lists show it.
pub(crate) fn grant_text(grant: &openneko_plugin::manifest::Grant) -> String {
    let private = if grant.allow_private { " (private)" } else { "" };
    format!("{}:{}{private}", grant.host, grant.port)
}

/// The trusted roots of a plugin's TLS.
fn trust(pem: Option<&[u8]>) -> Result<TrustRoots, Error> {
    let public = TrustRoots::public();
    Ok(match pem {
        Some(pem) => public.with_pem(pem)?,
        None => public,
    })
}
