//! The environment values that a plugin needs: those that are missing are asked for.

use std::collections::BTreeSet;

use openneko_plugin::PackageName;
use openneko_plugin::manifest::Entry;
use openneko_plugin::permission::{EnvVar, Permissions};

use crate::cli::{Context, Failure};
use crate::secrets::{Secret, Store};

/// The state of the required values.
#[derive(Debug, Default)]
pub(super) struct Env {
    pub(super) saved: Vec<String>,
    pub(super) already_set: Vec<String>,
    pub(super) missing: Vec<String>,
}

/// Asks for required values that are not stored, and stores the answers together.
///
/// Without a terminal, `Env::missing` lists the missing values.
pub(super) fn resolve(
    name: &PackageName,
    permissions: &Permissions,
    installed: Option<&Entry>,
    context: &mut Context,
) -> Result<Env, Failure> {
    let store = Store::open(&context.paths)?;
    let known = known(&store, name, installed)?;
    let required = permissions.env.iter().filter(|variable| variable.is_required());
    let mut env = Env::default();
    let mut answers: Vec<(String, Secret)> = Vec::new();
    for variable in required {
        let key = variable.key.as_str();
        if known.contains(key) {
            env.already_set.push(key.to_owned());
        } else if !context.console.is_interactive() {
            env.missing.push(key.to_owned());
        } else if !answers.iter().any(|(answered, _)| answered == key) {
            answers.push((key.to_owned(), ask(name, variable, context)?));
        }
    }
    if !answers.is_empty() {
        env.saved = answers.iter().map(|(key, _)| key.clone()).collect();
        store.set_all(name.as_str(), answers)?;
    }
    Ok(env)
}

/// Prints the missing values, and how to set them.
pub(super) fn missing(name: &PackageName, missing: &[String]) -> Failure {
    let first = missing.first().map_or("", String::as_str);
    let run: Vec<_> = missing
        .iter()
        .map(|key| format!("\nRun: openneko secrets set {name} {key} <value>"))
        .collect();
    Failure::new(format!(
        "install: required env \"{first}\" for {name} is not set and stdin is not a TTY.{}",
        run.concat()
    ))
}

/// The keys that have a value, even an empty one. Opens the values: a plugin
/// whose secrets cannot be decrypted has none.
fn known(store: &Store, name: &PackageName, installed: Option<&Entry>) -> Result<BTreeSet<String>, Failure> {
    let stored = store.get(name.as_str())?.into_keys();
    let of_entry = installed.iter().flat_map(|entry| &entry.env).flatten();
    Ok(stored.chain(of_entry.map(|(key, _)| key.to_string())).collect())
}

fn ask(name: &PackageName, variable: &EnvVar, context: &mut Context) -> Result<Secret, Failure> {
    let key = variable.key.as_str();
    context.console.line("")?;
    context.console.line(&format!("{name} requires {key}"))?;
    if !variable.description.is_empty() {
        context.console.line(&format!("  {}", variable.description))?;
    }
    let answer = if variable.is_secret() {
        context.console.ask_hidden(&format!("{key} (hidden): "))?
    } else {
        context.console.ask("value: ")?
    };
    if answer.expose().is_empty() {
        return Err(Failure::new(format!(
            "install: required env \"{key}\" not supplied for {name}"
        )));
    }
    Ok(answer)
}
