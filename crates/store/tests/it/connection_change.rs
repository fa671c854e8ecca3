//! A change of a connection is made as a whole, or not at all.

use genkan_store::connection::{
    self, Attributes, Change, ChangeError, Connection, Edit, Kind, NewSecret, OidcChange, ProtocolChange,
    SamlChange, Settings,
};
use genkan_store::{Provider, Secret};

use crate::support::{World, on_each_engine};

fn oidc(set: impl FnOnce(&mut OidcChange)) -> Change<'static> {
    let mut change = OidcChange::default();
    set(&mut change);
    Change {
        protocol: Some(ProtocolChange::Oidc(change)),
        ..Change::default()
    }
}

fn text(text: &str) -> Edit<String> {
    Edit::of_text(Some(text.to_owned()))
}

fn apply(world: &World, connection: &mut Connection, change: &Change<'_>) -> Result<bool, ChangeError> {
    let applied = connection::apply(connection, change, world.start(), false)?;
    Ok(applied.secret_is_forgotten)
}

fn fields(refused: Result<bool, ChangeError>) -> Vec<&'static str> {
    match refused {
        Err(ChangeError::Mistakes(mistakes)) => mistakes.iter().map(|mistake| mistake.field).collect(),
        other => panic!("no mistakes: {other:?}"),
    }
}

fn draft(world: &World, kind: Kind) -> Connection {
    Connection::new(world.start(), None, Provider::Custom, Settings::new(kind))
}

#[tokio::test]
async fn every_wrong_field_is_named_once_and_nothing_is_entered() {
    on_each_engine(async |world| {
        let mut connection = draft(world, Kind::Oidc);
        let before = connection.clone();
        let wrong = Change {
            name: text("Acme\u{202e}"),
            client_secret: Edit::Set(NewSecret {
                secret: Secret::from_presented("two\nlines"),
                key: &world.key,
            }),
            ..oidc(|change| {
                change.issuer = text("http://idp.test");
                change.client_id = text("genkan");
                change.jwks_uri = text("ftp://idp.test");
                change.only_verified_email = Some(true);
                change.trust_unverified_email = Some(true);
            })
        };
        assert_eq!(
            fields(apply(world, &mut connection, &wrong)),
            [
                "name",
                "client_secret",
                "only_verified_emails",
                "issuer",
                "jwks_uri"
            ]
        );
        assert_eq!(connection, before);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_said_stays_and_what_is_cleared_is_as_in_a_new_connection() {
    on_each_engine(async |world| {
        let mut connection = draft(world, Kind::Oidc);
        let fresh = connection.clone();
        let first = Change {
            provider: Some(Provider::Okta),
            ui_button_title: text("Acme"),
            attributes: Attributes::Edit {
                forget: false,
                named: vec![
                    ("email".to_owned(), "mail".to_owned()),
                    ("groups".to_owned(), "grp".to_owned()),
                ],
            },
            ..oidc(|change| {
                change.client_id = text(" genkan ");
                change.scopes = Edit::Set(vec!["openid".to_owned()]);
                change.token_uri = text("https://idp.test/token");
            })
        };
        apply(world, &mut connection, &first).unwrap();
        assert_eq!(
            connection.name, "Okta",
            "a name that nobody chose follows the product"
        );
        let entered = connection.settings.as_oidc().unwrap();
        assert_eq!(
            (entered.client_id.as_str(), entered.groups_from()),
            ("genkan", Some("grp"))
        );

        let kept = connection.clone();
        apply(world, &mut connection, &oidc(|_| {})).unwrap();
        assert_eq!(connection, kept);

        let back = Change {
            provider: Some(Provider::Custom),
            ui_button_title: Edit::Clear,
            attributes: Attributes::Replace([].into()),
            ..oidc(|change| {
                change.client_id = Edit::Clear;
                change.scopes = Edit::Clear;
                change.token_uri = Edit::Clear;
            })
        };
        apply(world, &mut connection, &back).unwrap();
        assert_eq!(connection, fresh);
    })
    .await;
}

#[tokio::test]
async fn a_connection_takes_no_settings_and_no_secret_that_are_not_of_its_kind() {
    on_each_engine(async |world| {
        let mut by_saml = draft(world, Kind::Saml);
        let before = by_saml.clone();
        let other = apply(
            world,
            &mut by_saml,
            &oidc(|change| change.client_id = text("genkan")),
        );
        assert_eq!(other, Err(ChangeError::OtherKind(Kind::Oidc)));
        let secret = Change {
            client_secret: Edit::Set(NewSecret {
                secret: Secret::from_presented("s3cret"),
                key: &world.key,
            }),
            ..Change::default()
        };
        assert_eq!(fields(apply(world, &mut by_saml, &secret)), ["client_secret"]);
        let unreadable = Change {
            protocol: Some(ProtocolChange::Saml(SamlChange {
                idp_metadata: Some("<a/>".to_owned()),
                idp_certificate: text("no certificate"),
                ..SamlChange::default()
            })),
            ..Change::default()
        };
        assert_eq!(
            fields(apply(world, &mut by_saml, &unreadable)),
            ["idp_metadata", "idp_certificate"]
        );
        assert_eq!(by_saml, before);
    })
    .await;
}

/// A person who may change a connection must not be able to have its secret sent to themselves.
#[tokio::test]
async fn the_secret_follows_nobody_and_an_enabled_connection_stays_complete() {
    on_each_engine(async |world| {
        let (_, mut enabled) = world.company("acme.test").await;
        let before = enabled.clone();
        let detours = [
            oidc(|change| change.issuer = text("https://thief.test")),
            oidc(|change| change.discovery_endpoint = text("https://thief.test/d")),
            oidc(|change| change.token_uri = text("https://thief.test/t")),
        ];
        for detour in &detours {
            assert_eq!(
                apply(world, &mut enabled, detour),
                Err(ChangeError::SecretWouldFollow)
            );
        }
        let emptied = Change {
            client_secret: Edit::Clear,
            ..Change::default()
        };
        assert_eq!(
            apply(world, &mut enabled, &emptied),
            Err(ChangeError::Incomplete(vec!["client_secret"]))
        );
        assert_eq!(enabled, before);

        let mut disabled = before;
        disabled.enabled = false;
        assert_eq!(apply(world, &mut disabled, &detours[2]), Ok(true));
        assert_eq!(disabled.client_secret_sealed, None);
        // If the change brings the secret with the address, the secret goes there.
        let brought = Change {
            client_secret: Edit::Set(NewSecret {
                secret: Secret::from_presented("newer"),
                key: &world.key,
            }),
            ..oidc(|change| change.token_uri = text("https://idp.acme.test/t"))
        };
        assert_eq!(apply(world, &mut disabled, &brought), Ok(false));
        let secret = disabled.open_client_secret(&world.key).unwrap().unwrap();
        assert_eq!(secret.expose(), "newer");
    })
    .await;
}
