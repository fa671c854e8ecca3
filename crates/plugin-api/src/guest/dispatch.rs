//! From a method and its parameters to the exit code and output of a process.

use crate::guest::schema::{self, Schema};
use crate::guest::{Plugin, World};
use crate::json::{Json, Object};
use crate::rpc::{self, code};

/// The result of a call: an exit code and standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0 for success, 1 for a failure, 2 for a call without a method.
    pub exit: i32,
    /// One JSON object, without a newline.
    pub stdout: String,
}

impl Outcome {
    fn failure(exit: i32, code: &str, message: &str) -> Self {
        Self {
            exit,
            stdout: rpc::failure(code, message),
        }
    }
}

/// Runs one method of a plugin. `params` is JSON; a caller without parameters gives `{}`.
pub fn dispatch(plugin: &impl Plugin, method: &str, params: &str, world: &mut World) -> Outcome {
    let result = match method {
        "" => return Outcome::failure(2, code::MISSING_METHOD, "method name argv[2] required"),
        "register" => Json::from(&plugin.registration().answering(params)).map_err(|error| error.to_string()),
        "begin_auth" => begin_auth(plugin, params, world),
        "complete_auth" => complete_auth(plugin, params, world),
        "execute_action" => Err(execute_action(params)),
        "begin_connect" | "complete_connect" | "refresh_connect" => {
            Err("plugin does not implement a connect capability".to_owned())
        }
        "deliver" | "parse_inbound" | "verify_inbound" | "poll_inbound" => {
            Err("plugin does not implement a channel capability".to_owned())
        }
        other => return Outcome::failure(1, code::UNKNOWN_METHOD, &format!("unknown RPC method: {other}")),
    };
    let stdout = result.and_then(|result| rpc::success(&result).map_err(|error| error.to_string()));
    match stdout {
        Ok(stdout) => Outcome { exit: 0, stdout },
        Err(message) => Outcome::failure(1, code::PLUGIN_ERROR, &message),
    }
}

fn begin_auth(plugin: &impl Plugin, params: &str, world: &mut World) -> Result<Json, String> {
    demand_auth(plugin)?;
    let params = checked(params, &schema::BEGIN_AUTH)?;
    let call = params.to().map_err(|error| error.to_string())?;
    let answer = plugin
        .begin_auth(&call, world)
        .map_err(|error| error.message().to_owned())?;
    wrapped(&answer, &schema::BEGIN_AUTH_RESULT)
}

fn complete_auth(plugin: &impl Plugin, params: &str, world: &mut World) -> Result<Json, String> {
    demand_auth(plugin)?;
    let params = checked(params, &schema::COMPLETE_AUTH)?;
    let call = params.to().map_err(|error| error.to_string())?;
    let answer = plugin
        .complete_auth(&call, world)
        .map_err(|error| error.message().to_owned())?;
    wrapped(&answer, &schema::COMPLETE_AUTH_RESULT)
}

/// There are no actions, so this only finds the right error.
fn execute_action(params: &str) -> String {
    let request = parsed(params).and_then(|json| schema::EXECUTE_ACTION.check(&json).map(|()| json));
    let kind = |json: &Json| {
        Some(
            json.as_object()?
                .get("request")?
                .as_object()?
                .get("kind")?
                .as_str()?
                .to_owned(),
        )
    };
    match request {
        Ok(json) => format!(
            "plugin does not handle action kind \"{}\"",
            kind(&json).unwrap_or_default()
        ),
        Err(message) => message,
    }
}

fn demand_auth(plugin: &impl Plugin) -> Result<(), String> {
    match plugin.registration().capabilities.auth {
        Some(_) => Ok(()),
        None => Err("plugin does not implement an auth provider".to_owned()),
    }
}

fn parsed(params: &str) -> Result<Json, String> {
    serde_json::from_str(params).map_err(|error| format!("the parameters are not JSON: {error}"))
}

/// The value inside `params`, after the whole was checked.
fn checked(params: &str, schema: &Schema) -> Result<Json, String> {
    let json = parsed(params)?;
    schema.check(&json)?;
    Ok(json
        .as_object()
        .and_then(|object| object.get("params"))
        .cloned()
        .unwrap_or_default())
}

/// The inner `result`, checked by the rules of the host.
fn wrapped<T: serde::Serialize>(answer: &T, schema: &Schema) -> Result<Json, String> {
    let answer = Json::from(answer).map_err(|error| error.to_string())?;
    let json = Json::Object(Object::from_iter([("result".to_owned(), answer)]));
    schema.check(&json)?;
    Ok(json)
}
