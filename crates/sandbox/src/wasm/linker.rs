//! The interfaces that a guest may import.

use aws_lc_rs::{digest, hmac};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentType, Lift, Linker};
use wasmtime::{Engine, StoreContextMut};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};

use super::state::{State, Stop};

/// The interfaces of WASI 0.2 that are offered.
///
/// `filesystem` is among them because the standard libraries of guests import it.
/// No directory is opened for the guest, so it can name no file. Sockets are not
/// offered.
const OFFERED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// What components may use: the interfaces of [`OFFERED`].
pub(super) fn for_plugins(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    // Streams, polls, clocks, randomness, standard input, output and error; HTTP.
    wasmtime_wasi_http::p2::add_to_linker_async(l)?;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, State::random)?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, State::random)?;
    Ok(linker)
}

/// What the JavaScript engine may use besides: `openneko:engine/host`.
pub(super) fn for_bundles(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    #[derive(ComponentType, Lift)]
    #[component(enum)]
    #[expect(dead_code, reason = "guests make the values")]
    #[repr(u8)]
    enum To {
        #[component(name = "stdout")]
        Stdout,
        #[component(name = "stderr")]
        Stderr,
    }

    let mut linker = for_plugins(engine)?;
    let mut host = linker.instance("openneko:engine/host@1.0.0")?;
    host.func_wrap(
        "write",
        |store: StoreContextMut<'_, State>, (to, data): (To, Vec<u8>)| {
            let output = match to {
                To::Stdout => &store.data().stdout,
                To::Stderr => &store.data().stderr,
            };
            Ok(output.push(&data)?)
        },
    )?;
    host.func_wrap("exit", |_, (code,): (i32,)| -> wasmtime::Result<()> {
        Err(Stop::Exit(code).into())
    })?;
    host.func_wrap(
        "digest",
        |_, (name, key, data): (String, Option<Vec<u8>>, Vec<u8>)| {
            Ok((digest_of(&name, key.as_deref(), &data),))
        },
    )?;
    Ok(linker)
}

fn digest_of(algorithm: &str, key: Option<&[u8]>, data: &[u8]) -> Option<Vec<u8>> {
    let (digest, hmac) = match algorithm {
        "sha1" => (
            &digest::SHA1_FOR_LEGACY_USE_ONLY,
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        ),
        "sha256" => (&digest::SHA256, hmac::HMAC_SHA256),
        "sha384" => (&digest::SHA384, hmac::HMAC_SHA384),
        "sha512" => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return None,
    };
    Some(match key {
        Some(key) => hmac::sign(&hmac::Key::new(hmac, key), data).as_ref().to_vec(),
        None => digest::digest(digest, data).as_ref().to_vec(),
    })
}

/// Whether a component imports only offered interfaces and exports `call`.
///
/// # Errors
///
/// A sentence that names the import that is not offered, or the missing export.
pub(super) fn check_plugin(engine: &Engine, component: &Component) -> Result<(), String> {
    let kind = component.component_type();
    for (name, _) in kind.imports(engine) {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if !OFFERED.contains(&interface) || !version.starts_with("0.2.") {
            return Err(format!("it imports `{name}`, which plugins may not use"));
        }
    }
    let call = kind.exports(engine).find(|(name, _)| *name == "call");
    if !matches!(call, Some((_, item)) if matches!(item.ty, ComponentItem::ComponentFunc(_))) {
        return Err("it does not export the function `call` of the world `openneko:plugin`".to_owned());
    }
    Ok(())
}
