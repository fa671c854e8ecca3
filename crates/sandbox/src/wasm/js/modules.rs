//! The modules of Node that the JavaScript engine offers, and their names.
//!
//! They are written in `crates/sandbox/jsengine/src/modules.js`; a test
//! compares the two.

/// Without `node:`; `default` is in each.
const OFFERED: &[(&str, &[&str])] = &[
    ("buffer", &["Blob", "Buffer", "atob", "btoa"]),
    (
        "crypto",
        &[
            "createHash",
            "createHmac",
            "getRandomValues",
            "randomBytes",
            "randomUUID",
            "subtle",
            "timingSafeEqual",
            "webcrypto",
        ],
    ),
    ("dns", &["getDefaultResultOrder", "setDefaultResultOrder"]),
    (
        "process",
        &[
            "argv", "cwd", "env", "exit", "hrtime", "nextTick", "platform", "stderr", "stdout", "version",
            "versions",
        ],
    ),
    (
        "url",
        &["URL", "URLSearchParams", "fileURLToPath", "pathToFileURL"],
    ),
];

/// The short name of an offered module.
///
/// # Errors
///
/// A sentence that names the module.
pub(super) fn find(specifier: &str) -> Result<&'static str, String> {
    let shown = crate::egress::shown(specifier);
    if specifier.starts_with(['.', '/']) {
        return Err(format!(
            "it imports the file `{shown}`; a bundle must be one file"
        ));
    }
    let name = specifier.strip_prefix("node:").unwrap_or(specifier);
    OFFERED
        .iter()
        .find(|(offered, _)| *offered == name)
        .map(|(offered, _)| *offered)
        .ok_or_else(|| format!("it imports `{shown}`, which the WebAssembly engine does not offer"))
}

/// Whether a module from [`find`] exports a name.
///
/// # Errors
///
/// A sentence that names the name and the module.
pub(super) fn check_name(module: &str, name: &str) -> Result<(), String> {
    let names = OFFERED
        .iter()
        .find(|(offered, _)| *offered == module)
        .map(|(_, names)| *names);
    if name == "default" || names.is_some_and(|names| names.contains(&name)) {
        return Ok(());
    }
    let shown = crate::egress::shown(name);
    Err(format!(
        "it imports `{shown}` of `node:{module}`, which the WebAssembly engine does not offer"
    ))
}

/// Everything that is offered, as a list for the test in JavaScript.
#[cfg(test)]
pub(super) fn offered() -> &'static [(&'static str, &'static [&'static str])] {
    OFFERED
}
