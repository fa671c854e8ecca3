//! Checks of parameters and results, with the error texts that hosts know.
//!
//! Plugins of OpenNeko check with zod 4, and answer with its list of issues, as
//! indented JSON. These checks give the same text.

use crate::json::{Json, Object};

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub enum Schema {
    /// A string of so many UTF-16 units at least.
    Text(usize),
    /// A string, `null`, or nothing.
    OptionalText,
    /// A string or `null`.
    NullableText,
    /// An object or `null`.
    NullableRecord,
    /// A list of strings, or nothing.
    Texts,
    /// An object with these members; others are allowed.
    Object(&'static [(&'static str, Schema)]),
}

/// Parameters of `begin_auth`.
pub const BEGIN_AUTH: Schema = Schema::Object(&[(
    "params",
    Schema::Object(&[
        ("redirectUri", Schema::Text(1)),
        ("state", Schema::Text(1)),
        ("loginHint", Schema::OptionalText),
    ]),
)]);

/// The result of `begin_auth`.
pub const BEGIN_AUTH_RESULT: Schema =
    Schema::Object(&[("result", Schema::Object(&[("authorizationUrl", Schema::Text(1))]))]);

/// Parameters of `complete_auth`.
pub const COMPLETE_AUTH: Schema = Schema::Object(&[(
    "params",
    Schema::Object(&[
        ("code", Schema::Text(1)),
        ("redirectUri", Schema::Text(1)),
        ("state", Schema::Text(1)),
    ]),
)]);

/// The result of `complete_auth`.
pub const COMPLETE_AUTH_RESULT: Schema = Schema::Object(&[(
    "result",
    Schema::Object(&[(
        "identity",
        Schema::Object(&[
            ("sub", Schema::Text(1)),
            ("email", Schema::Text(3)),
            ("name", Schema::OptionalText),
            ("orgId", Schema::OptionalText),
            ("groups", Schema::Texts),
        ]),
    )]),
)]);

/// Parameters of `execute_action`.
pub const EXECUTE_ACTION: Schema = Schema::Object(&[(
    "request",
    Schema::Object(&[
        ("id", Schema::Text(0)),
        ("orgId", Schema::Text(0)),
        ("actorId", Schema::OptionalText),
        ("scope", Schema::Text(0)),
        ("kind", Schema::Text(0)),
        ("target", Schema::NullableText),
        ("summary", Schema::NullableText),
        ("payload", Schema::NullableRecord),
        ("riskLevel", Schema::NullableText),
    ]),
)]);

impl Schema {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// The list of issues as indented JSON.
    ///
    /// ```
    /// use openneko_plugin::guest::schema::BEGIN_AUTH;
    ///
    /// let params = serde_json::from_str(r#"{"params":{"redirectUri":"https://a/cb","state":""}}"#)?;
    /// let issues = BEGIN_AUTH.check(&params).unwrap_err();
    /// assert!(issues.contains("Too small: expected string to have >=1 characters"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn check(&self, value: &Json) -> Result<(), String> {
        let mut issues = Vec::new();
        self.visit(Some(value), &mut Vec::new(), &mut issues);
        if issues.is_empty() {
            return Ok(());
        }
        Err(Json::Array(issues).to_file().trim_end().to_owned())
    }

    fn visit(&self, value: Option<&Json>, path: &mut Vec<Json>, issues: &mut Vec<Json>) {
        match (self, value) {
            (Self::OptionalText, None | Some(Json::Null | Json::String(_)))
            | (Self::NullableText, Some(Json::Null | Json::String(_)))
            | (Self::NullableRecord, Some(Json::Null | Json::Object(_)))
            | (Self::Texts, None) => {}
            (Self::Text(minimum), Some(Json::String(text))) => {
                if text.encode_utf16().count() < *minimum {
                    issues.push(too_small("string", *minimum, "characters", path));
                }
            }
            // zod measures everything that has a length, not only strings.
            (Self::Text(minimum), Some(list @ Json::Array(items))) => {
                issues.push(invalid_type("string", Some(list), path));
                if items.len() < *minimum {
                    issues.push(too_small("array", *minimum, "items", path));
                }
            }
            (Self::Texts, Some(Json::Array(items))) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(Json::Number(index.into()));
                    Self::Text(0).visit(Some(item), path, issues);
                    path.pop();
                }
            }
            (Self::Object(members), Some(Json::Object(object))) => {
                for (name, schema) in *members {
                    path.push(Json::String((*name).to_owned()));
                    schema.visit(object.get(name), path, issues);
                    path.pop();
                }
            }
            (expected, other) => issues.push(invalid_type(expected.name(), other, path)),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::OptionalText | Self::NullableText => "string",
            Self::NullableRecord => "record",
            Self::Texts => "array",
            Self::Object(_) => "object",
        }
    }
}

fn invalid_type(expected: &str, received: Option<&Json>, path: &[Json]) -> Json {
    let received = match received {
        None => "undefined",
        Some(Json::Null) => "null",
        Some(Json::Bool(_)) => "boolean",
        Some(Json::Number(_)) => "number",
        Some(Json::String(_)) => "string",
        Some(Json::Array(_)) => "array",
        Some(Json::Object(_)) => "object",
    };
    let message = format!("Invalid input: expected {expected}, received {received}");
    issue([
        ("expected", text(expected)),
        ("code", text("invalid_type")),
        ("path", Json::Array(path.to_vec())),
        ("message", text(&message)),
    ])
}

fn too_small(origin: &str, minimum: usize, unit: &str, path: &[Json]) -> Json {
    let message = format!("Too small: expected {origin} to have >={minimum} {unit}");
    issue([
        ("origin", text(origin)),
        ("code", text("too_small")),
        ("minimum", Json::Number(minimum.into())),
        ("inclusive", Json::Bool(true)),
        ("path", Json::Array(path.to_vec())),
        ("message", text(&message)),
    ])
}

fn issue<const N: usize>(members: [(&str, Json); N]) -> Json {
    let members = members.into_iter().map(|(key, value)| (key.to_owned(), value));
    Json::Object(members.collect::<Object>())
}

fn text(text: &str) -> Json {
    Json::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What zod 4.3.6 says; `tests/zod/write.mjs` wrote the file.
    const ZOD: &str = include_str!("../../tests/zod/issues.json");

    #[test]
    fn every_issue_is_byte_for_byte_that_of_zod() {
        let Json::Array(cases) = serde_json::from_str(ZOD).unwrap() else {
            panic!("a list of cases");
        };
        assert!(cases.len() > 30, "only {} cases", cases.len());
        for case in &cases {
            let field = |key: &str| case.as_object().unwrap().get(key).unwrap();
            let schema = match field("schema").as_str().unwrap() {
                "BeginAuth" => BEGIN_AUTH,
                "BeginAuthResult" => BEGIN_AUTH_RESULT,
                "CompleteAuth" => COMPLETE_AUTH,
                "CompleteAuthResult" => COMPLETE_AUTH_RESULT,
                "ExecuteAction" => EXECUTE_ACTION,
                other => panic!("{other}"),
            };
            let value = field("value");
            let ours = schema.check(value).err();
            assert_eq!(ours.as_deref(), field("issues").as_str(), "{value:?}");
        }
    }
}
