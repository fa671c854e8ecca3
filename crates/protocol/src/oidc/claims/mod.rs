//! The claims of the tokens that Genkan issues, as its applications read them.
//!
//! Source: RFC 7519 §4.1, OIDC Core §2 and §5.1, RFC 8693 §4.2 (`scope`), OIDC
//! Back-Channel Logout §2.4; Scalekit's SDKs, whose types are not always the
//! standards': `aud` is always an array, times are integers, `updated_at`,
//! `metadata` and `provider_raw_attributes` are strings. The scope is written twice,
//! because one SDK reads `scope` and another `scopes`.

mod custom;
mod notice;
mod wire;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use custom::CustomClaims;
pub use notice::{IdpInitiatedLogin, LogoutEvents, LogoutToken};
pub use wire::ScopeClaims;
use wire::audience;

/// What is known about a person (OIDC Core §5.1). Absent claims are left out,
/// never `null` (OIDC Core §5.3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of OIDC Core §5.1")]
pub struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// A string, against OIDC Core §5.1: the Go SDK cannot read a number here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

/// One way in which a person signed in, as the claim `identities` lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `conn_…`
    pub connection_id: String,
    /// `org_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// `OIDC`, `SAML`, …
    pub connection_type: String,
    /// `OKTA`, …
    pub provider_name: String,
    /// Whether it is a social provider.
    pub social: bool,
    /// A JSON object *as a string*: the Go SDK cannot read an object here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_raw_attributes: Option<String>,
}

/// Who signed in, and how (OIDC Core §2). An application may keep it as long as it likes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IdToken {
    /// The environment's URL.
    pub iss: String,
    /// The client, in an array.
    #[serde(deserialize_with = "audience")]
    pub aud: Vec<String>,
    /// The client (OIDC Core §2).
    pub azp: String,
    /// The client again, for Scalekit's SDKs.
    pub client_id: String,
    /// `usr_…`
    pub sub: String,
    /// The first item is the connection's id: a Python SDK returns it as such.
    #[serde(default)]
    pub amr: Vec<String>,
    /// `org_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
    /// The organization's id at the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xoid: Option<String>,
    /// `ses_…` (OIDC Back-Channel Logout §2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970.
    pub exp: i64,
    /// When the person authenticated, in seconds since 1970 (OIDC Core §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// As the authorization request sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Binds the access token: [`left_half`](super::left_half).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// Binds the code: [`left_half`](super::left_half). A refresh has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<String>,
    /// The connections that know this person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// A JSON object *as a string*: the Go SDK cannot read an object here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// What the scopes allow to be said about the person.
    #[serde(flatten)]
    pub profile: Profile,
    /// The connection's own attributes.
    #[serde(flatten)]
    pub custom: CustomClaims,
}

/// What a client or a user may do (RFC 9068 without its `typ`, see [`AccessToken::TYP`]).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccessToken {
    /// The environment's URL.
    pub iss: String,
    /// The client, or the resource that it asks tokens for; an array.
    #[serde(deserialize_with = "audience")]
    pub aud: Vec<String>,
    /// `usr_…`, or the client id for a token of its own.
    pub sub: String,
    /// The client.
    pub client_id: String,
    /// `tkn_…`
    pub jti: String,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970.
    pub nbf: i64,
    /// Seconds since 1970.
    pub exp: i64,
    /// Written twice: `scope`, a string, and `scopes`, an array.
    #[serde(flatten)]
    pub scope: ScopeClaims,
    /// `org_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
    /// `ses_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The names of the user's roles; a client's own token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// `resource:action`; a client's own token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<String>>,
    /// The organization's id at the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xoid: Option<String>,
    /// The user's id at the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xuid: Option<String>,
    /// For applications that greet from the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// For applications that greet from the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the client's or organization's settings add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_claims: Option<Map<String, Value>>,
    /// `grt_…`, private: lets introspection and userinfo see that the grant was
    /// revoked. A client's own token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
}

/// What the userinfo endpoint answers (OIDC Core §5.3.2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserInfo {
    /// The ID token's `sub` (OIDC Core §5.3.2: the client must compare them).
    pub sub: String,
    /// `org_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
    /// `oid` again: openneko's sign-in plugin reads exactly this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// `oid` again: the SDKs for React and Vue read it from the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// `conn_…`: the connection of the sign-in, which the same SDKs read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// `ses_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Seconds since 1970: here a number, by OIDC Core §5.1, because no SDK with fixed
    /// types reads this document. So it is not in [`Profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// What the scopes allow to be said about the person.
    #[serde(flatten)]
    pub profile: Profile,
    /// The connection's own attributes.
    #[serde(flatten)]
    pub custom: CustomClaims,
}

/// Why a token is not of the expected kind.
#[derive(Debug, thiserror::Error)]
pub enum WrongToken {
    /// A claim is missing or has another type.
    #[error("the token is not of the kind that is wanted here")]
    Claims(#[source] serde_json::Error),
    /// A claim that only another kind of token has.
    #[error("the token is of another kind")]
    Kind,
}

impl IdToken {
    /// The header's `typ`.
    pub const TYP: &str = "JWT";

    /// Reads one of our own ID tokens, after its signature was verified: an
    /// `id_token_hint`. The caller checks `iss`, `aud` and `exp`.
    ///
    /// # Errors
    ///
    /// [`WrongToken`] for every other kind of token that we sign.
    pub fn from_claims(claims: Map<String, Value>) -> Result<Self, WrongToken> {
        // RFC 8725 §3.12: kinds of tokens must exclude each other.
        refuse(&claims, &["jti", "grant_id", "events", "scopes"])?;
        serde_json::from_value(Value::Object(claims)).map_err(WrongToken::Claims)
    }
}

impl AccessToken {
    /// The header's `typ`: not `at+jwt` (RFC 9068 §2.1), because verifiers with
    /// a fixed list of types know only `JWT`. [`AccessToken::from_claims`] tells
    /// the kinds apart by their claims instead (RFC 8725 §3.12).
    pub const TYP: &str = "JWT";

    /// Reads one of our own access tokens, after its signature was verified.
    /// The caller checks `iss`, `exp` and `nbf`.
    ///
    /// # Errors
    ///
    /// [`WrongToken`] for every other kind of token that we sign.
    pub fn from_claims(claims: Map<String, Value>) -> Result<Self, WrongToken> {
        refuse(&claims, &["azp", "amr", "at_hash", "c_hash", "nonce", "events"])?;
        serde_json::from_value(Value::Object(claims)).map_err(WrongToken::Claims)
    }
}

fn refuse(claims: &Map<String, Value>, foreign: &[&str]) -> Result<(), WrongToken> {
    let alien = foreign.iter().any(|name| claims.contains_key(*name));
    if alien { Err(WrongToken::Kind) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::Scope;

    fn id_token() -> IdToken {
        let attributes = json!({
            "department": "R&D",
            "sub": "usr_evil", "roles": ["admin"], "email": "evil@example.com", "iss": "x", "exp": 9, "picture": "x",
        });
        IdToken {
            iss: "https://auth.example".into(),
            aud: vec!["skc_1".into()],
            azp: "skc_1".into(),
            client_id: "skc_1".into(),
            sub: "usr_1".into(),
            amr: vec!["conn_1".into()],
            oid: Some("org_1".into()),
            sid: Some("ses_1".into()),
            iat: 1,
            exp: 2,
            at_hash: Some("h".into()),
            metadata: Some("{}".into()),
            identities: vec![Identity {
                connection_id: "conn_1".into(),
                organization_id: Some("org_1".into()),
                connection_type: "OIDC".into(),
                provider_name: "OKTA".into(),
                social: false,
                provider_raw_attributes: Some(r#"{"a":1}"#.into()),
            }],
            profile: Profile {
                email: Some("ada@example.com".into()),
                email_verified: Some(true),
                updated_at: Some("1700000000".into()),
                ..Profile::default()
            },
            custom: CustomClaims::from(attributes.as_object().unwrap().clone()),
            ..IdToken::default()
        }
    }

    fn access_token() -> AccessToken {
        AccessToken {
            iss: "https://auth.example".into(),
            aud: vec!["skc_1".into()],
            sub: "usr_1".into(),
            client_id: "skc_1".into(),
            jti: "tkn_1".into(),
            iat: 1,
            nbf: 1,
            exp: 2,
            scope: Scope::parse("openid email").unwrap().into(),
            roles: Some(vec!["admin".into()]),
            permissions: Some(vec![]),
            grant_id: Some("grt_1".into()),
            ..AccessToken::default()
        }
    }

    fn logout_token() -> LogoutToken {
        LogoutToken {
            iss: "https://auth.example".into(),
            aud: vec!["skc_1".into()],
            sub: "usr_1".into(),
            sid: "ses_1".into(),
            jti: "tkn_1".into(),
            iat: 1,
            exp: 121,
            events: LogoutEvents::default(),
        }
    }

    fn claims(token: &impl Serialize) -> Map<String, Value> {
        // Through the strict parser: no claim may be written twice.
        crate::json::object(&serde_json::to_vec(token).unwrap()).unwrap()
    }

    #[test]
    fn an_id_token_is_what_the_sdks_read() {
        assert_eq!(
            Value::Object(claims(&id_token())),
            json!({
                "iss": "https://auth.example", "aud": ["skc_1"], "azp": "skc_1", "client_id": "skc_1", "sub": "usr_1",
                "amr": ["conn_1"], "oid": "org_1", "sid": "ses_1", "iat": 1, "exp": 2, "at_hash": "h", "metadata": "{}",
                "identities": [{
                    "connection_id": "conn_1", "organization_id": "org_1", "connection_type": "OIDC",
                    "provider_name": "OKTA", "social": false, "provider_raw_attributes": "{\"a\":1}",
                }],
                "email": "ada@example.com", "email_verified": true, "updated_at": "1700000000", "department": "R&D",
            })
        );
        assert_eq!(IdToken::from_claims(claims(&id_token())).unwrap(), id_token());
    }

    #[test]
    fn an_access_token_is_what_the_sdks_read() {
        assert_eq!(
            Value::Object(claims(&access_token())),
            json!({
                "iss": "https://auth.example", "aud": ["skc_1"], "sub": "usr_1", "client_id": "skc_1", "jti": "tkn_1",
                "iat": 1, "nbf": 1, "exp": 2, "scope": "openid email", "scopes": ["openid", "email"],
                "roles": ["admin"], "permissions": [], "grant_id": "grt_1",
            })
        );
        assert_eq!(
            AccessToken::from_claims(claims(&access_token())).unwrap(),
            access_token()
        );
    }

    #[test]
    fn a_token_of_one_kind_does_not_pass_for_another() {
        // RFC 8725 §2.8: cross-JWT confusion.
        let initiated = IdpInitiatedLogin {
            iss: "https://auth.example".into(),
            aud: "skc_1".into(),
            ..IdpInitiatedLogin::default()
        };
        for alien in [claims(&id_token()), claims(&logout_token()), claims(&initiated)] {
            assert!(AccessToken::from_claims(alien).is_err());
        }
        for alien in [
            claims(&access_token()),
            claims(&logout_token()),
            claims(&initiated),
        ] {
            assert!(IdToken::from_claims(alien).is_err());
        }
        // One claim of another kind is enough.
        for name in ["jti", "grant_id", "events", "scopes"] {
            let mut hybrid = claims(&id_token());
            hybrid.insert(name.into(), json!("x"));
            assert!(IdToken::from_claims(hybrid).is_err(), "{name}");
        }
        for name in ["azp", "amr", "at_hash", "c_hash", "nonce", "events"] {
            let mut hybrid = claims(&access_token());
            hybrid.insert(name.into(), json!("x"));
            assert!(AccessToken::from_claims(hybrid).is_err(), "{name}");
        }
        // The barest tokens of each kind, too.
        let bare = IdToken {
            aud: vec!["a".into()],
            ..IdToken::default()
        };
        assert!(AccessToken::from_claims(claims(&bare)).is_err());
        let bare = AccessToken {
            aud: vec!["a".into()],
            ..AccessToken::default()
        };
        assert!(IdToken::from_claims(claims(&bare)).is_err());
    }

    #[test]
    fn an_access_token_whose_two_scopes_differ_is_refused() {
        let mut wider = claims(&access_token());
        wider["scopes"] = json!(["openid", "email", "admin"]);
        assert!(AccessToken::from_claims(wider).is_err());
    }

    #[test]
    fn one_audience_may_be_a_string_when_it_is_read() {
        let mut string = claims(&access_token());
        string["aud"] = json!("skc_1");
        assert_eq!(AccessToken::from_claims(string).unwrap().aud, ["skc_1"]);
    }

    #[test]
    fn a_logout_token_has_the_event_and_no_nonce() {
        assert_eq!(
            Value::Object(claims(&logout_token())),
            json!({
                "iss": "https://auth.example", "aud": ["skc_1"], "sub": "usr_1", "sid": "ses_1", "jti": "tkn_1",
                "iat": 1, "exp": 121, "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            })
        );
    }

    #[test]
    fn userinfo_says_what_is_known_and_nothing_else() {
        let info = UserInfo {
            sub: "usr_1".into(),
            profile: Profile {
                email: Some("ada@example.com".into()),
                ..Profile::default()
            },
            ..UserInfo::default()
        };
        assert_eq!(
            serde_json::to_string(&info).unwrap(),
            r#"{"sub":"usr_1","email":"ada@example.com"}"#
        );
        let dated = UserInfo {
            updated_at: Some(1),
            ..info
        };
        let json = serde_json::to_value(&dated).unwrap();
        assert_eq!(json["updated_at"], 1);
        assert_eq!(serde_json::from_value::<UserInfo>(json).unwrap(), dated);
    }

    #[test]
    fn every_claim_of_ours_is_reserved() {
        let mut ours = claims(&id_token());
        ours.remove("department");
        ours.extend(claims(&access_token()));
        ours.extend(claims(&logout_token()));
        let all: Map<String, Value> = ours.into_iter().collect();
        assert_eq!(CustomClaims::from(all), CustomClaims::default());
    }
}
