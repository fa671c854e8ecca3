//! A wrong change of a connection gets one answer, by a flag and by a message.

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::connection_service_client::ConnectionServiceClient;
use genkan_contract::scalekit::v1::connections::{
    CreateConnection, CreateConnectionRequest, OidcConnectionConfig, SamlConnectionConfigRequest,
    UpdateConnection, UpdateConnectionRequest, update_connection,
};
use genkan_testkit::{Gateway, Organization};
use serde_json::json;

use super::{Instance, text};
use crate::management::{Channel, channel};

/// A change as options and as a message, and each mistake in it: what the command line
/// calls the field, what the message calls it, and how the reason begins.
struct Case {
    kind: wire::ConnectionType,
    options: &'static [&'static str],
    message: fn(&mut UpdateConnection),
    mistakes: &'static [(&'static str, &'static str, &'static str)],
}

const fn case(
    kind: wire::ConnectionType,
    options: &'static [&'static str],
    message: fn(&mut UpdateConnection),
    mistakes: &'static [(&'static str, &'static str, &'static str)],
) -> Case {
    Case {
        kind,
        options,
        message,
        mistakes,
    }
}

use wire::ConnectionType::{Oidc, Saml};

/// Longer than an entity may be called (SAML Core §8.3.6).
const LONG: &str = const {
    const BYTES: [u8; 1025] = [b'a'; 1025];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    }
};

fn oidc(update: &mut UpdateConnection, set: fn(&mut OidcConnectionConfig)) {
    let mut config = OidcConnectionConfig::default();
    set(&mut config);
    update.settings = Some(update_connection::Settings::OidcConfig(config));
}

fn saml(update: &mut UpdateConnection, set: fn(&mut SamlConnectionConfigRequest)) {
    let mut config = SamlConnectionConfigRequest::default();
    set(&mut config);
    update.settings = Some(update_connection::Settings::SamlConfig(config));
}

fn entered(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Those of every kind of connection.
const COMMON: &[Case] = &[
    case(
        Oidc,
        &["--name", "Acme\u{202e}"],
        |update| update.name = entered("Acme\u{202e}"),
        &[("--name", "connection.name", "holds control characters or marks")],
    ),
    case(
        Oidc,
        &["--button-title", "Acme\u{202e}"],
        |update| update.ui_button_title = entered("Acme\u{202e}"),
        &[(
            "--button-title",
            "connection.ui_button_title",
            "holds control characters or marks",
        )],
    ),
    case(
        Saml,
        &["--key-id", "a\u{7}"],
        |update| update.key_id = entered("a\u{7}"),
        &[(
            "--key-id",
            "connection.key_id",
            "has characters that cannot be printed",
        )],
    ),
    case(
        Saml,
        &["--attribute", "email=a\u{7}"],
        |update| update.attribute_mapping = [("email".to_owned(), "a\u{7}".to_owned())].into(),
        &[(
            "--attribute",
            "connection.attribute_mapping",
            "has a name that is empty",
        )],
    ),
];

const OF_OIDC: &[Case] = &[
    case(
        Oidc,
        &["--issuer", "login.acme.test"],
        |update| oidc(update, |config| config.issuer = entered("login.acme.test")),
        &[(
            "--issuer",
            "connection.oidc_config.issuer",
            "is not an address such as",
        )],
    ),
    case(
        Oidc,
        &["--issuer", "http://login.acme.test"],
        |update| oidc(update, |config| config.issuer = entered("http://login.acme.test")),
        &[(
            "--issuer",
            "connection.oidc_config.issuer",
            "is not https: anybody on the way",
        )],
    ),
    case(
        Oidc,
        &["--issuer", "https://login.acme.test?a=1"],
        |update| {
            oidc(update, |config| {
                config.issuer = entered("https://login.acme.test?a=1")
            })
        },
        &[(
            "--issuer",
            "connection.oidc_config.issuer",
            "must not have a query",
        )],
    ),
    case(
        Oidc,
        &["--issuer", "https://login.microsoftonline.com/common/v2.0"],
        |update| {
            oidc(update, |config| {
                config.issuer = entered("https://login.microsoftonline.com/common/v2.0");
            });
        },
        &[(
            "--issuer",
            "connection.oidc_config.issuer",
            "is of all tenants of Microsoft Entra ID",
        )],
    ),
    case(
        Oidc,
        &["--token-uri", "https://root@login.acme.test"],
        |update| {
            oidc(update, |config| {
                config.token_uri = entered("https://root@login.acme.test")
            })
        },
        &[(
            "--token-uri",
            "connection.oidc_config.token_uri",
            "must be https, a host",
        )],
    ),
    case(
        Oidc,
        &[
            "--jwks-uri",
            "ftp://login.acme.test",
            "--user-info-uri",
            "https://a.test#b",
        ],
        |update| {
            oidc(update, |config| {
                config.jwks_uri = entered("ftp://login.acme.test");
                config.user_info_uri = entered("https://a.test#b");
            });
        },
        &[
            (
                "--user-info-uri",
                "connection.oidc_config.user_info_uri",
                "must not have a fragment",
            ),
            (
                "--jwks-uri",
                "connection.oidc_config.jwks_uri",
                "must begin with https://",
            ),
        ],
    ),
    case(
        Oidc,
        &["--client-id", "a\u{7}b"],
        |update| oidc(update, |config| config.client_id = entered("a\u{7}b")),
        &[(
            "--client-id",
            "connection.oidc_config.client_id",
            "has characters that cannot",
        )],
    ),
    case(
        Oidc,
        &["--scopes", "openid a\"b"],
        |update| oidc(update, |config| config.other_scopes = entered("a\"b")),
        &[(
            "--scopes",
            "connection.oidc_config.scopes",
            "has a word that is no scope",
        )],
    ),
    case(
        Oidc,
        &["--client-secret", "a\u{7}b"],
        |update| oidc(update, |config| config.client_secret = entered("a\u{7}b")),
        &[(
            "The client secret",
            "connection.oidc_config.client_secret",
            "is too long, or holds several lines",
        )],
    ),
    case(
        Oidc,
        &["--groups-claim", "a\u{7}"],
        |update| update.attribute_mapping = [("groups".to_owned(), "a\u{7}".to_owned())].into(),
        &[(
            "--groups-claim",
            "connection.attribute_mapping",
            "has characters that cannot",
        )],
    ),
];

const OF_SAML: &[Case] = &[
    case(
        Saml,
        &["--saml-sso-url", "javascript:alert(1)", "--saml-entity-id", LONG],
        |update| {
            saml(update, |config| {
                config.idp_sso_url = entered("javascript:alert(1)");
                config.idp_entity_id = entered(LONG);
            });
        },
        &[
            (
                "--saml-sso-url",
                "connection.saml_config.idp_sso_url",
                "must be https, a host",
            ),
            (
                "--saml-entity-id",
                "connection.saml_config.idp_entity_id",
                "is longer than 1024",
            ),
        ],
    ),
    case(
        Saml,
        &["--saml-metadata-url", "http://idp.acme.test"],
        |update| {
            saml(update, |config| {
                config.idp_metadata_url = entered("http://idp.acme.test")
            })
        },
        &[(
            "--saml-metadata-url",
            "connection.saml_config.idp_metadata_url",
            "is not https: anybody on the way",
        )],
    ),
    case(
        Saml,
        &["--saml-certificate-file", "no-certificate"],
        |update| {
            saml(update, |config| {
                config.idp_certificate = entered("no certificate")
            })
        },
        &[(
            "--saml-certificate-file",
            "connection.saml_config.idp_certificate",
            "is not a certificate",
        )],
    ),
];

/// One connection of each kind, at a server and in a database for the command line.
struct Both {
    api: ConnectionServiceClient<Channel>,
    acme: Organization,
    instance: Instance,
    /// Of OpenID Connect and of SAML: at the server, and of the command line.
    connections: [(String, String); 2],
}

impl Both {
    async fn set_up(gateway: &Gateway) -> Self {
        let acme = gateway.organization("acme.test").await;
        let mut api = ConnectionServiceClient::new(channel(gateway).await);
        let instance = Instance::new().await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        std::fs::write(instance.path().join("no-certificate"), "no certificate").unwrap();
        let create = [
            "connection",
            "create",
            "--organization",
            "acme",
            "--disabled",
            "--json",
        ];
        let by_oidc = [
            "--oidc",
            "--issuer",
            "https://login.acme.test",
            "--client-id",
            "genkan",
            "--client-secret-stdin",
        ];
        let mut connections = Vec::new();
        for (kind, options) in [(Oidc, &by_oidc[..]), (Saml, &["--saml"])] {
            let wanted = CreateConnection {
                provider: wire::ConnectionProvider::Custom.into(),
                r#type: kind.into(),
                ..CreateConnection::default()
            };
            let request = CreateConnectionRequest {
                organization_id: acme.id.to_string(),
                connection: Some(wanted),
            };
            let made = api.create_connection(request).await.unwrap().into_inner();
            let own = instance.run_with("s3cret", &[&create, options].concat()).json();
            connections.push((made.connection.unwrap().id, text(&own, "/id").to_owned()));
        }
        Self {
            api,
            acme,
            instance,
            connections: connections.try_into().unwrap(),
        }
    }

    fn of(&self, kind: wire::ConnectionType) -> &(String, String) {
        &self.connections[usize::from(kind == Saml)]
    }

    /// What the API says.
    async fn by_message(&mut self, kind: wire::ConnectionType, set: fn(&mut UpdateConnection)) -> String {
        let mut update = UpdateConnection {
            provider: wire::ConnectionProvider::Custom.into(),
            ..UpdateConnection::default()
        };
        set(&mut update);
        let request = UpdateConnectionRequest {
            update_mask: None,
            organization_id: self.acme.id.to_string(),
            id: self.of(kind).0.clone(),
            connection: Some(update),
        };
        let refused = self.api.update_connection(request).await.unwrap_err();
        refused.message().to_owned()
    }

    /// What the command line says.
    fn by_options(&self, kind: wire::ConnectionType, options: &[&str]) -> String {
        let update = [&["connection", "update", self.of(kind).1.as_str()], options].concat();
        let ran = self.instance.run(&update);
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.stderr
    }
}

#[tokio::test]
async fn a_flag_and_a_message_name_the_same_field_and_the_same_reason() {
    let gateway = Gateway::setup().production().https().start().await;
    let mut both = Both::set_up(&gateway).await;
    for case in COMMON.iter().chain(OF_OIDC).chain(OF_SAML) {
        let by_message = both.by_message(case.kind, case.message).await;
        let by_options = both.by_options(case.kind, case.options);
        let said: Vec<&str> = by_message.split("; ").collect();
        assert_eq!(said.len(), case.mistakes.len(), "{by_message}");
        let mut sentences = Vec::new();
        for (said, (option, field, reason)) in said.into_iter().zip(case.mistakes) {
            let whole = said.strip_prefix(&format!("{field}: "));
            let whole = whole.unwrap_or_else(|| panic!("{field} is not named first: {said}"));
            assert!(whole.starts_with(reason), "{field}: {whole}");
            sentences.push(format!("{option} {whole}."));
        }
        let expected = format!("error: {}\n", sentences.join(" "));
        let first = format!(
            "{}\n",
            by_options
                .lines()
                .find(|line| line.starts_with("error: "))
                .unwrap()
        );
        assert_eq!(first, expected, "{:?}", case.options);
    }
    // Nothing was changed, by either.
    for (kind, before) in [(Oidc, "https://login.acme.test"), (Saml, "")] {
        let shown = both.instance.json(&["connection", "show", &both.of(kind).1]);
        let issuer = shown.pointer("/oidc/issuer").unwrap_or(&json!("")).clone();
        assert_eq!(
            (&issuer, text(&shown, "/name").contains('\u{202e}')),
            (&json!(before), false)
        );
    }
}

/// The settings of another kind are refused by both.
#[tokio::test]
async fn neither_takes_the_settings_of_another_kind() {
    let gateway = Gateway::setup().production().https().start().await;
    let mut both = Both::set_up(&gateway).await;
    let by_message = both
        .by_message(Oidc, |update| {
            saml(update, |config| config.force_authn = Some(true))
        })
        .await;
    assert_eq!(
        by_message,
        "connection.saml_config: does not fit: this is a OIDC connection"
    );
    let by_options = both.by_options(Oidc, &["--saml-entity-id", "urn:acme"]);
    assert!(
        by_options.contains("The connection speaks OpenID Connect, not SAML."),
        "{by_options}"
    );
}
