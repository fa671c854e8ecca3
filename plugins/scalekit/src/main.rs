//! The plugin as a program: `plugin-scalekit register '{}'`.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    openneko_plugin::guest::native::run(&plugin_scalekit::Scalekit)
}

#[cfg(target_family = "wasm")]
fn main() {}
