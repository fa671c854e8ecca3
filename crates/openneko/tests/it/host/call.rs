//! One call of a plugin: one reading of the files, and one time-out.

use std::collections::BTreeMap;
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openneko::host::{CALL_TIMEOUT, Engines, Error, Host};
use openneko_plugin::rpc::{BeginAuth, CompleteAuth};
use openneko_sandbox::{
    Artifact, Backend, BackendKind, Call, CallFailure, CallOutcome, PluginSpec, Prepared, Probe, SandboxError,
};
use parking_lot::Mutex;
use rustix::fs::inotify;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::support::{Machine, NAME, SECRET, plugin, url_of};
use super::{begin, said};

const SECOND: Duration = Duration::from_secs(1);

/// Counts how often each file of some folders is opened.
struct Opened {
    watch: rustix::fd::OwnedFd,
}

impl Opened {
    fn watch(folders: &[&Path]) -> Self {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(flags).unwrap();
        // The kernel makes one event of two like ones in a row: closing stands between.
        let what = inotify::WatchFlags::OPEN | inotify::WatchFlags::CLOSE;
        for folder in folders {
            inotify::add_watch(&watch, *folder, what).unwrap();
        }
        Self { watch }
    }

    /// Those since the last look.
    fn take(&self) -> BTreeMap<String, usize> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut events = inotify::Reader::new(&self.watch, &mut buffer);
        let mut opened = BTreeMap::new();
        while let Ok(event) = events.next() {
            let is_open = event.events().contains(inotify::ReadFlags::OPEN);
            if let Some(name) = event.file_name().filter(|_| is_open) {
                let name = std::ffi::OsStr::from_bytes(name.to_bytes()).to_string_lossy();
                *opened.entry(name.into_owned()).or_default() += 1;
            }
        }
        opened
    }
}

#[tokio::test]
async fn a_call_reads_manifest_and_secrets_once() {
    let mut machine = Machine::new();
    let answer = "fail('it failed with ' + process.env.ACME_SECRET)";
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", answer));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    let names = [
        machine.paths.manifest.clone(),
        machine.paths.secrets(),
        machine.paths.secret_key(),
    ];
    let folders = names.each_ref().map(|path| path.parent().unwrap());
    let names = names
        .each_ref()
        .map(|path| path.file_name().unwrap().to_str().unwrap());
    let opened = Opened::watch(&folders);
    let seen = || {
        let seen = opened.take();
        names.map(|name| seen.get(name).copied().unwrap_or_default())
    };

    // Two readings are counted as two.
    host.provider().unwrap();
    host.provider().unwrap();
    assert_eq!(seen(), [2; 3]);

    // The first call starts the plugin, the second finds it ready. Both fail, and secrets are
    // removed from the plugin's messages: that needs no other reading.
    for _ in 0..2 {
        let error = begin(&host).await.unwrap_err().to_string();
        assert!(error.contains("it failed") && !error.contains(SECRET), "{error}");
        assert_eq!(seen(), [1; 3]);
    }
    host.call(NAME, "begin_auth", "{}").await.unwrap();
    assert_eq!(seen(), [1; 3]);
    // Registration has no values, and so needs no secrets.
    host.call(NAME, "register", "{}").await.unwrap();
    assert_eq!(seen(), [1, 0, 0]);
}

#[tokio::test]
async fn a_call_goes_to_the_plugin_that_was_read_and_to_no_later_one() {
    let mut machine = Machine::new();
    let says = |word: &str| {
        plugin(
            NAME,
            "1.0.0",
            &url_of(&format!("'{word} ' + process.env.ACME_SECRET")),
        )
    };
    machine.install(NAME, "1.0.0", &says("seen"));
    machine.set("ACME_SECRET", "first");
    let host = machine.host();
    let provider = host.provider().unwrap().unwrap();

    // Between the decision and the call another plugin takes its place, with another secret.
    machine.set("ACME_SECRET", "second");
    machine.edit(NAME, |entry| {
        entry["capabilities"] = json!({ "action": { "kinds": [] } })
    });
    let answer = host
        .begin_auth(&provider, &BeginAuth::new("https://app.test/cb", "s1"))
        .await
        .unwrap();
    assert!(answer.authorization_url.contains("seen%20first"), "{answer:?}");
    assert!(matches!(
        begin(&host).await,
        Err(Error::NoProvider | Error::File { .. })
    ));
}

/// An engine whose stages take as long as a test says. Its plugin is called `NAME`.
#[derive(Default)]
struct Slow {
    prepare: Duration,
    register: Duration,
    method: Duration,
    /// What each call was given.
    given: Mutex<Vec<(String, Duration)>>,
}

struct Engine(Arc<Slow>);

impl Slow {
    fn host(self, machine: &Machine) -> (Host, Arc<Self>) {
        let slow = Arc::new(self);
        let engine: Arc<dyn Backend> = Arc::new(Engine(Arc::clone(&slow)));
        let engines = Engines::new(vec![engine], None);
        (Host::new(machine.paths.clone(), engines).unwrap(), slow)
    }

    fn given(&self) -> Vec<(String, Duration)> {
        std::mem::take(&mut self.given.lock())
    }
}

#[async_trait]
impl Backend for Engine {
    fn kind(&self) -> BackendKind {
        BackendKind::Wasm
    }

    async fn probe(&self) -> Probe {
        Probe::Works("it is a test".to_owned())
    }

    fn supports(&self, _: &Artifact) -> Result<(), String> {
        Ok(())
    }

    async fn prepare(&self, _: &PluginSpec) -> Result<Box<dyn Prepared>, SandboxError> {
        sleep(self.0.prepare).await;
        Ok(Box::new(Self(Arc::clone(&self.0))))
    }
}

#[async_trait]
impl Prepared for Engine {
    async fn call(&self, call: Call<'_>) -> Result<CallOutcome, CallFailure> {
        let given = (call.method.to_owned(), call.timeout);
        self.0.given.lock().push(given);
        let (takes, result) = match call.method {
            "register" => (
                self.0.register,
                json!({
                    "protocol": 1,
                    "pluginName": NAME,
                    "pluginVersion": "1.0.0",
                    "capabilities": { "auth": { "providerLabel": "Acme" } },
                }),
            ),
            _ => (
                self.0.method,
                json!({ "result": { "authorizationUrl": "https://idp.test/?said" } }),
            ),
        };
        if takes > call.timeout {
            sleep(call.timeout).await;
            return Err(SandboxError::Timeout(call.timeout).into());
        }
        sleep(takes).await;
        Ok(CallOutcome {
            stdout: json!({ "ok": true, "result": result }).to_string().into_bytes(),
            ..CallOutcome::default()
        })
    }
}

fn installed() -> Machine {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", "export {}");
    machine.set("ACME_SECRET", SECRET);
    machine
}

#[tokio::test(start_paused = true)]
async fn start_registration_and_method_share_one_time() {
    let machine = installed();
    let (host, slow) = Slow {
        prepare: 5 * SECOND,
        register: 7 * SECOND,
        method: 17 * SECOND,
        ..Slow::default()
    }
    .host(&machine);
    said(&host).await;
    let left = |spent: u32| CALL_TIMEOUT - spent * SECOND;
    let is_about = |given: &(String, Duration), method: &str, time: Duration| {
        given.0 == method && given.1 <= time && given.1 + SECOND / 10 > time
    };
    let given = slow.given();
    assert_eq!(given.len(), 2);
    assert!(is_about(&given[0], "register", left(5)), "{given:?}");
    assert!(is_about(&given[1], "begin_auth", left(12)), "{given:?}");
    // A plugin that is ready has the whole time.
    said(&host).await;
    let given = slow.given();
    assert!(
        given.len() == 1 && is_about(&given[0], "begin_auth", left(0)),
        "{given:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_is_slow_at_any_stage_is_given_up_after_the_same_time() {
    for (prepare, register, method) in [
        (3600, 0, 0),
        (0, 3600, 0),
        (0, 0, 3600),
        (20, 20, 0),
        (10, 10, 15),
    ] {
        let machine = installed();
        let (host, _) = Slow {
            prepare: prepare * SECOND,
            register: register * SECOND,
            method: method * SECOND,
            ..Slow::default()
        }
        .host(&machine);
        let begun = Instant::now();
        let error = begin(&host).await.unwrap_err();
        let took = begun.elapsed();
        assert_eq!(error.code(), "TIMEOUT", "{error}");
        // The message names the whole time, not the rest for the last stage.
        assert!(error.to_string().contains("longer than 30s"), "{error}");
        assert!(took >= CALL_TIMEOUT && took < CALL_TIMEOUT + SECOND, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_anothers_start_has_no_more_time() {
    let machine = installed();
    let (host, _) = Slow {
        prepare: 60 * SECOND,
        ..Slow::default()
    }
    .host(&machine);
    // The start of the server has more patience than a person.
    let warmed = host.clone();
    let warming = tokio::spawn(async move { warmed.warm().await });
    sleep(SECOND).await;
    let begun = Instant::now();
    let error = begin(&host).await.unwrap_err();
    assert_eq!(error.code(), "TIMEOUT", "{error}");
    assert!(begun.elapsed() < CALL_TIMEOUT + SECOND);
    // It goes on meanwhile, for those who come later.
    warming.await.unwrap().unwrap();
    let begun = Instant::now();
    said(&host).await;
    assert!(begun.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn finishing_a_sign_in_has_the_same_time_as_beginning_one() {
    let machine = installed();
    let (host, _) = Slow {
        method: 3600 * SECOND,
        ..Slow::default()
    }
    .host(&machine);
    let provider = host.provider().unwrap().unwrap();
    let begun = Instant::now();
    let complete = CompleteAuth::new("c1", "https://app.test/cb", "s1");
    let error = host.complete_auth(&provider, &complete).await.unwrap_err();
    assert_eq!(error.code(), "TIMEOUT", "{error}");
    assert!(begun.elapsed() < CALL_TIMEOUT + SECOND);
    // The files are gone, and are not read again for it.
    fs::remove_file(&machine.paths.manifest).unwrap();
    let error = host.complete_auth(&provider, &complete).await.unwrap_err();
    assert_eq!(error.code(), "TIMEOUT", "{error}");
}
