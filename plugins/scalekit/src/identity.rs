//! From the provider's claims to OpenNeko's identity.

use openneko_plugin::guest::Error;
use openneko_plugin::guest::schema::COMPLETE_AUTH_RESULT;
use openneko_plugin::json::{Json, Object};
use openneko_plugin::rpc::Identity;

/// Maps the claims; what is of the wrong type is refused in the words of the schema.
pub(crate) fn from_claims(claims: &Object) -> Result<Identity, Error> {
    let claim = |key: &str| claims.get(key).filter(|value| **value != Json::Null);
    let email = claim("email").filter(|email| is_truthy(email));
    let email = email.ok_or("Scalekit userinfo returned no email — check the IdP's released scopes")?;
    let identity = Object::from_iter([
        ("sub".to_owned(), claim("sub").cloned().unwrap_or_default()),
        ("email".to_owned(), email.clone()),
        ("name".to_owned(), name(claims)),
        // Scalekit's documentation and tokens call the organization `oid`.
        (
            "orgId".to_owned(),
            claim("organization_id")
                .or_else(|| claim("oid"))
                .cloned()
                .unwrap_or_default(),
        ),
        ("groups".to_owned(), Json::Array(groups(claims)?)),
    ]);
    let wrap = |key: &str, value| Json::Object(Object::from_iter([(key.to_owned(), value)]));
    COMPLETE_AUTH_RESULT.check(&wrap("result", wrap("identity", Json::Object(identity.clone()))))?;
    Ok(Json::Object(identity).to()?)
}

/// `name` if there is one, even an empty one, which then counts as none; else
/// the given and the family name.
fn name(claims: &Object) -> Json {
    match claims.get("name") {
        None | Some(Json::Null) => {
            let part = |key| {
                claims
                    .get(key)
                    .and_then(Json::as_str)
                    .filter(|part| !part.is_empty())
            };
            let parts: Vec<&str> = [part("given_name"), part("family_name")]
                .into_iter()
                .flatten()
                .collect();
            let joined = parts.join(" ");
            text_or_null(joined.trim())
        }
        Some(Json::String(name)) => text_or_null(name),
        // Only strings and lists have a length, and an empty one counts as no name.
        Some(Json::Array(items)) if !items.is_empty() => Json::Array(items.clone()),
        Some(_) => Json::Null,
    }
}

fn text_or_null(text: &str) -> Json {
    if text.is_empty() {
        Json::Null
    } else {
        Json::String(text.to_owned())
    }
}

/// `groups` and `roles` together, each once. A string counts as a list of its
/// characters, because it does for hosts that compare with the JavaScript plugin.
fn groups(claims: &Object) -> Result<Vec<Json>, Error> {
    let mut union: Vec<Json> = Vec::new();
    for key in ["groups", "roles"] {
        let values: Vec<String> = match claims.get(key) {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            Some(Json::String(text)) => text.chars().map(String::from).collect(),
            Some(_) => return Err(format!("Scalekit userinfo returned {key} that are not a list").into()),
        };
        for value in values {
            let value = Json::String(value);
            if value.as_str() != Some("") && !union.contains(&value) {
                union.push(value);
            }
        }
    }
    Ok(union)
}

fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Bool(true) | Json::Array(_) | Json::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(claims: &str) -> Result<String, String> {
        let claims = serde_json::from_str(claims).unwrap();
        let identity = from_claims(&claims).map_err(|error| error.message().to_owned())?;
        Ok(serde_json::to_string(&identity).unwrap())
    }

    #[test]
    fn the_organization_may_be_called_oid() {
        let json = identity(r#"{"sub":"s","email":"a@b","oid":"org_2"}"#).unwrap();
        assert_eq!(
            json,
            r#"{"sub":"s","email":"a@b","name":null,"orgId":"org_2","groups":[]}"#
        );
        let json = identity(r#"{"sub":"s","email":"a@b","oid":"org_2","organization_id":"org_1"}"#).unwrap();
        assert!(json.contains(r#""orgId":"org_1""#));
    }

    #[test]
    fn claims_of_the_wrong_type_are_refused() {
        for (claims, about) in [
            (r#"{"sub":7,"email":"a@b"}"#, "received number"),
            (r#"{"sub":"s","email":["a@b"]}"#, "received array"),
            (
                r#"{"sub":"s","email":"a@b","organization_id":{"id":"org_1"}}"#,
                "received object",
            ),
            (r#"{"sub":"s","email":"a@b","name":["A"]}"#, "received array"),
            (
                r#"{"sub":"s","email":"a@b","groups":{"admin":true}}"#,
                "not a list",
            ),
            (r#"{"sub":"s","email":false}"#, "no email"),
            (r#"{"sub":"s","email":null}"#, "no email"),
        ] {
            let error = identity(claims).unwrap_err();
            assert!(error.contains(about), "{claims}: {error}");
        }
    }
}
