//! One prepared plugin: compiled, registered, and checked against its entry.

use std::sync::{Arc, OnceLock};

use openneko_plugin::manifest::Entry;
use openneko_plugin::rpc::Registration;
use openneko_sandbox::egress::{Egress, Grant};
use openneko_sandbox::{Artifact, Call, CallFailure, CallOutcome, ParamsBy, PluginSpec, Prepared};
use tokio::sync::Mutex;

use super::deadline::Deadline;
use super::{Error, Inner, artifact, scrub, trust};

/// A prepared plugin is kept while these stay the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    version: String,
    integrity: String,
    grants: Vec<Grant>,
    capabilities: String,
    roots: Option<Vec<u8>>,
}

impl Fingerprint {
    pub(super) fn of(entry: &Entry, roots: Option<Vec<u8>>) -> Result<Self, Error> {
        Ok(Self {
            version: entry.version.to_string(),
            integrity: entry.integrity.as_str().to_owned(),
            grants: grants(entry)?,
            capabilities: serde_json::to_string(&entry.capabilities).expect("capabilities have string keys"),
            roots,
        })
    }
}

/// The hosts of the package and those that the operator added.
fn grants(entry: &Entry) -> Result<Vec<Grant>, Error> {
    let mut grants = Vec::new();
    for host in &entry.permissions.network {
        grants.push(Grant::package(host.as_str())?);
    }
    for grant in &entry.grants {
        let text = format!("{}:{}", grant.host, grant.port);
        grants.push(Grant::operator(&text, grant.allow_private)?);
    }
    Ok(grants)
}

/// A prepared plugin, or one that its first caller prepares while the others wait.
pub(super) struct Slot {
    entry: Entry,
    fingerprint: Fingerprint,
    starting: Mutex<()>,
    ready: OnceLock<RunningPlugin>,
}

/// A plugin in its engine.
pub(super) struct RunningPlugin {
    prepared: Box<dyn Prepared>,
    registration: Registration,
}

impl Slot {
    pub(super) fn new(entry: Entry, fingerprint: Fingerprint) -> Self {
        Self {
            entry,
            fingerprint,
            starting: Mutex::default(),
            ready: OnceLock::new(),
        }
    }

    pub(super) fn is_of(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == *fingerprint
    }

    /// Its label of the provider, once it is ready.
    pub(super) fn label(&self) -> Option<String> {
        let auth = self.ready.get()?.registration.capabilities.auth.as_ref()?;
        auth.provider_label.clone().filter(|label| !label.is_empty())
    }

    /// A failure is not kept: the next caller tries again. The start, and the wait for
    /// another caller's start, count in the time of the call.
    pub(super) async fn ready(&self, host: &Inner, deadline: Deadline) -> Result<&RunningPlugin, Error> {
        if let Some(ready) = self.ready.get() {
            return Ok(ready);
        }
        let _turn = deadline.bound(self.starting.lock()).await?;
        if let Some(ready) = self.ready.get() {
            return Ok(ready);
        }
        let ready = self.start(host, deadline).await?;
        Ok(self.ready.get_or_init(|| ready))
    }

    async fn start(&self, host: &Inner, deadline: Deadline) -> Result<RunningPlugin, Error> {
        let entry = &self.entry;
        let found = artifact::find(&host.paths, entry)?;
        let chosen = deadline.bound(host.engines.choose(&found.artifact)).await??;
        let roots = trust(self.fingerprint.roots.as_deref())?;
        let grants = self.fingerprint.grants.clone();
        let spec = PluginSpec {
            id: entry.name.storage_id(),
            artifact: found.artifact,
            sha512: found.sha512,
            egress: Arc::new(Egress::new(grants, roots, Arc::clone(&host.resolver))),
            limits: host.limits,
        };
        let prepared = deadline.bound(chosen.backend.prepare(&spec)).await?;
        let prepared = prepared.map_err(Error::Sandbox)?;
        let params = match &spec.artifact {
            Artifact::Native(_) => Registration::ASK_PARAMS_BY,
            Artifact::Component(_) | Artifact::JsBundle(_) => "{}",
        };
        let registration = register(host, entry, &*prepared, (params, deadline)).await?;
        let kind = chosen.backend.kind();
        tracing::info!(
            plugin = entry.name.as_str(),
            version = entry.version.as_str(),
            engine = super::engines::name(kind),
            "plugin ready"
        );
        Ok(RunningPlugin {
            prepared,
            registration,
        })
    }
}

/// Calls `register`, without any value in the environment.
async fn register(
    host: &Inner,
    entry: &Entry,
    prepared: &dyn Prepared,
    (params, deadline): (&str, Deadline),
) -> Result<Registration, Error> {
    let call = Call {
        method: Registration::METHOD,
        params_json: params,
        params_by: ParamsBy::Argument,
        env: &[],
        timeout: deadline.left(),
    };
    let at = crate::clock::now();
    let name = entry.name.as_str();
    let record = |denials: &[_]| host.log.record(at, name, Registration::METHOD, denials);
    let outcome = prepared.call(call).await.map_err(|failure| {
        record(&failure.denials);
        Error::Sandbox(deadline.whole(failure.error))
    })?;
    record(&outcome.denials);
    let registration =
        Registration::answer(&outcome.stdout).map_err(|error| scrub::described(error, &outcome.stderr))?;
    registration
        .check(name, entry.version.as_str(), &entry.capabilities)
        .map_err(Error::Registration)?;
    Ok(registration)
}

impl RunningPlugin {
    /// How it gets its parameters.
    pub(super) fn params_by(&self) -> ParamsBy {
        if self.registration.reads_params_on_input() {
            ParamsBy::Input
        } else {
            ParamsBy::Argument
        }
    }

    pub(super) async fn call(&self, call: Call<'_>) -> Result<CallOutcome, CallFailure> {
        self.prepared.call(call).await
    }
}
