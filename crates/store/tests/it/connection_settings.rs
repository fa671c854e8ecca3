//! Connections being set up: missing values, refused values, and what a change of provider deletes.

use genkan_protocol::saml::{IdpCertificate, IdpMetadata};
use genkan_store::admission::Refusal;
use genkan_store::connection::domains::{self, AssignOutcome};
use genkan_store::connection::{
    self, ConfigurationType, Connection, EnableOutcome, Filter, Kind, OidcSettings, Protocol, SamlSettings,
    Settings, Status,
};
use genkan_store::{DomainId, Error, Page, Provider, conflict, domain, session};
use serde_json::json;

use crate::support::{T0, World, claim, hash, on_each_engine};

const CERTIFICATE: &str = include_str!("saml_certificate.pem");
const METADATA: &str = include_str!("saml_metadata.xml");

fn saml(world: &World, change: impl FnOnce(&mut SamlSettings)) -> Connection {
    let mut settings = SamlSettings::default();
    change(&mut settings);
    let settings = Settings::from(Protocol::Saml(settings));
    Connection::new(world.start(), None, Provider::Adfs, settings)
}

fn oidc(world: &World, change: impl FnOnce(&mut OidcSettings)) -> Connection {
    let mut settings = OidcSettings::default();
    change(&mut settings);
    let settings = Settings::from(Protocol::Oidc(settings));
    Connection::new(world.start(), None, Provider::Okta, settings)
}

async fn insert(world: &World, connection: &Connection) {
    world
        .tx(async |tx| connection::insert(tx, world.start(), connection).await)
        .await;
}

async fn find(world: &World, connection: &Connection) -> Connection {
    world
        .tx(async |tx| connection::find(tx, &connection.id).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_setting_of_a_saml_connection_is_read_as_it_was_written() {
    on_each_engine(async |world| {
        let mut connection = saml(world, |settings| {
            settings.idp_metadata_url = Some("https://idp.test/metadata".to_owned());
            settings.idp_entity_id = Some("https://idp.test".to_owned());
            settings.idp_sso_url = Some("https://idp.test/sso".to_owned());
            settings.idp_slo_url = Some("https://idp.test/slo".to_owned());
            settings.name_id_format = connection::NameIdFormat::Persistent;
            settings.signing = connection::SigningOption::Both;
            let certificates = IdpCertificate::parse_all(CERTIFICATE).unwrap();
            settings.set_certificates(world.start(), &certificates);
        });
        connection.settings.common.configuration_type = Some(ConfigurationType::Manual);
        connection.key_id = Some("adfs-main".to_owned());
        connection.ui_button_title = Some("Sign in at Acme".to_owned());
        insert(world, &connection).await;
        assert_eq!(find(world, &connection).await, connection);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_stays_keeps_its_identifier() {
    on_each_engine(async |world| {
        let certificates = IdpCertificate::parse_all(CERTIFICATE).unwrap();
        let mut settings = SamlSettings::default();
        settings.set_certificates(world.start(), &certificates);
        let before = settings.certificates.clone();
        settings.set_certificates(world.after(60), &certificates);
        assert_eq!(settings.certificates, before);
        assert!(
            before[0].issuer.contains("CN=idp.acme.test"),
            "{}",
            before[0].issuer
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_named_and_keeps_a_connection_disabled() {
    on_each_engine(async |world| {
        let blank = oidc(world, |_| {});
        assert_eq!(blank.status(), Status::Draft);
        assert_eq!(blank.missing(), ["issuer", "client_id", "client_secret"]);
        let mut begun = oidc(world, |settings| {
            settings.issuer = "https://idp.test".to_owned();
        });
        begun.settings.common.configuration_type = Some(ConfigurationType::Manual);
        assert_eq!(begun.status(), Status::InProgress);
        assert_eq!(
            begun.missing(),
            [
                "client_id",
                "client_secret",
                "authorize_uri",
                "token_uri",
                "jwks_uri"
            ]
        );
        assert_eq!(saml(world, |_| {}).missing(), ["idp_metadata_url"]);
        let by_hand = saml(world, |settings| {
            settings.idp_sso_url = Some("https://idp.test".to_owned())
        });
        assert_eq!(by_hand.missing(), ["idp_entity_id", "idp_certificate"]);
        let unread = saml(world, |settings| {
            settings.idp_metadata_url = Some("https://idp.test/metadata".to_owned());
        });
        assert_eq!(
            unread.missing(),
            ["idp_entity_id", "idp_sso_url", "idp_certificate"]
        );

        insert(world, &blank).await;
        let refused = world
            .tx(async |tx| connection::enable(tx, world.start(), &blank.id).await)
            .await;
        assert_eq!(
            refused,
            EnableOutcome::Incomplete(vec!["issuer", "client_id", "client_secret"])
        );
        assert!(!find(world, &blank).await.enabled);
        let mut forced = blank.clone();
        forced.enabled = true;
        let refused = world
            .failed_tx(async |tx| connection::update(tx, world.start(), &forced).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::CONNECTION_INCOMPLETE)),
            "{refused:?}"
        );

        let complete = saml(world, |settings| {
            let metadata = IdpMetadata::parse(METADATA).unwrap();
            settings.set_metadata(world.start(), &metadata);
            settings.idp_metadata_url = Some("https://idp.test/metadata".to_owned());
        });
        assert_eq!(complete.status(), Status::Completed);
        insert(world, &complete).await;
        for _ in 0..2 {
            let enabled = world
                .tx(async |tx| connection::enable(tx, world.start(), &complete.id).await)
                .await;
            assert_eq!(enabled, EnableOutcome::Enabled);
        }
        let nobody = world.any_connection_id();
        let unknown = world
            .tx(async |tx| connection::enable(tx, world.start(), &nobody).await)
            .await;
        assert_eq!(unknown, EnableOutcome::Unknown);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_with_its_field() {
    on_each_engine(async |world| {
        type Change = fn(&mut OidcSettings);
        let long = "https://idp.test/".to_owned() + &"a".repeat(2048);
        let cases: &[(&str, Change)] = &[
            ("issuer", |settings| settings.issuer = "idp.test".to_owned()),
            ("issuer", |settings| {
                settings.issuer = "https://idp.test?a=1".to_owned()
            }),
            ("issuer", |settings| {
                settings.issuer = "https://a:b@idp.test".to_owned()
            }),
            ("issuer", |settings| {
                settings.issuer = " https://idp.test".to_owned()
            }),
            ("token_uri", |settings| {
                settings.token_uri = Some("http://idp.test".to_owned())
            }),
            ("jwks_uri", |settings| {
                settings.jwks_uri = Some("file:///etc/passwd".to_owned())
            }),
            ("authorize_uri", |settings| {
                settings.authorize_uri = Some("https://idp.test/#fragment".to_owned());
            }),
            ("client_id", |settings| settings.client_id = "a\nb".to_owned()),
            ("scopes", |settings| {
                settings.scopes = vec!["two words".to_owned()]
            }),
        ];
        for (field, change) in cases {
            let mistakes = oidc(world, change).check(false).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert_eq!(mistakes[0].field, *field, "{mistakes:?}");
        }
        let mut mapped = oidc(world, |_| {});
        let pairs = (0..31).map(|n| (n.to_string(), "x".to_owned()));
        mapped.settings.common.attribute_mapping = pairs.collect();
        assert_eq!(mapped.check(false).unwrap_err()[0].field, "attribute_mapping");
        let long = oidc(world, |settings| settings.issuer = long);
        assert_eq!(long.check(true).unwrap_err()[0].field, "issuer");
        let refused = world
            .failed_tx(async |tx| connection::insert(tx, world.start(), &long).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::CONNECTION_INVALID)),
            "{refused:?}"
        );
        let plain = |insecure_http| {
            let mut connection = oidc(world, |settings| {
                settings.issuer = "http://idp.test".to_owned();
            });
            connection.settings.common.insecure_http = insecure_http;
            connection
        };
        assert!(plain(false).check(false).is_err());
        assert!(plain(false).check(true).is_ok());
        assert!(plain(true).check(false).is_ok());
    })
    .await;
}

#[tokio::test]
async fn an_editor_who_saw_it_open_does_not_open_it_again() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        world
            .tx(async |tx| connection::disable(tx, world.start(), &connection.id).await)
            .await;
        let refused = world
            .failed_tx(async |tx| connection::update(tx, world.start(), &connection).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
        assert!(!find(world, &connection).await.enabled);
    })
    .await;
}

#[tokio::test]
async fn another_issuer_does_not_inherit_whom_the_one_before_knew() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let first = world.admit(&claim(&connection, "7", "ada@acme.test")).await;
        assert!(first.is_ok(), "{first:?}");

        let mut renamed = connection.clone();
        renamed.name = "Renamed".to_owned();
        world
            .tx(async |tx| connection::update(tx, world.after(1), &renamed).await)
            .await;
        // Known only by the subject.
        let known = world.admit(&claim(&connection, "7", "ada@elsewhere.test")).await;
        assert!(known.is_ok(), "{known:?}");

        let mut moved = find(world, &connection).await;
        moved.settings.as_oidc_mut().unwrap().issuer = "https://other.test".to_owned();
        moved.client_secret_sealed = world.new_connection(None).client_secret_sealed;
        world
            .tx(async |tx| connection::update(tx, world.after(2), &moved).await)
            .await;
        let stranger = world
            .admit(&claim(&connection, "7", "mallory@elsewhere.test"))
            .await;
        assert_eq!(stranger, Err(Refusal::EmailNotTrusted));
        let again = world
            .admit(&claim(&connection, "8", "ada@acme.test"))
            .await
            .unwrap();
        assert!(!again.user_created, "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn assigned_domains_decide_who_is_sent_where_and_who_is_vouched_for() {
    on_each_engine(async |world| {
        let (organization, main) = world.company("acme.test").await;
        let branch_domain = world.new_domain(&organization.id, "branch.test");
        let branch = world.new_connection(Some(&organization.id));
        world
            .tx(async |tx| {
                domain::insert(tx, world.start(), &branch_domain).await?;
                connection::insert(tx, world.start(), &branch).await
            })
            .await;
        let assign = async |connection: &Connection, domains: &[DomainId]| {
            world
                .tx(async |tx| {
                    domains::assign(tx, world.start(), &organization.id, &connection.id, domains).await
                })
                .await
        };
        let route = async |name: &str| {
            let name = genkan_protocol::Domain::parse(name).unwrap();
            world
                .tx(async |tx| domains::find_enabled_for(tx, &organization.id, &name).await)
                .await
                .map(|connection| connection.id)
        };
        assert_eq!(route("branch.test").await.as_ref(), Some(&main.id), "the oldest");

        let foreign: DomainId = world.id();
        assert_eq!(
            assign(&branch, &[branch_domain.id.clone(), foreign.clone()]).await,
            AssignOutcome::UnknownDomain(foreign)
        );
        assert_eq!(
            route("branch.test").await.as_ref(),
            Some(&main.id),
            "nothing changed"
        );
        assign(&branch, std::slice::from_ref(&branch_domain.id)).await;
        assert_eq!(route("branch.test").await.as_ref(), Some(&branch.id));
        assert_eq!(route("acme.test").await.as_ref(), Some(&main.id));
        let served = world
            .tx(async |tx| {
                let branch = connection::find(tx, &branch.id).await?.unwrap();
                domains::served_by(tx, &branch).await
            })
            .await;
        assert_eq!(served, std::slice::from_ref(&branch_domain));

        let own = world.admit(&claim(&branch, "1", "ada@branch.test")).await;
        assert!(own.is_ok(), "{own:?}");
        let beyond = world.admit(&claim(&branch, "2", "boss@acme.test")).await;
        assert_eq!(beyond, Err(Refusal::EmailNotTrusted));

        world
            .tx(async |tx| connection::disable(tx, world.start(), &branch.id).await)
            .await;
        assert_eq!(
            route("branch.test").await.as_ref(),
            Some(&main.id),
            "only open ones count"
        );
        world
            .tx(async |tx| {
                connection::enable(tx, world.start(), &branch.id).await?;
                domain::delete(tx, world.start(), &organization.id, &branch_domain.id).await
            })
            .await;
        let beyond = world.admit(&claim(&branch, "2", "boss@acme.test")).await;
        assert_eq!(
            beyond,
            Err(Refusal::EmailNotTrusted),
            "losing its domain opens no other"
        );
        assign(&branch, &[]).await;
        let all = world.admit(&claim(&branch, "2", "boss@acme.test")).await;
        assert!(all.is_ok(), "{all:?}");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_connection_takes_its_sessions_with_it_and_a_disabled_one_does_not() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let user = world.user("ada@acme.test").await;
        let mut sessions = Vec::new();
        for (cookie, at) in [("there", Some(connection.id.clone())), ("elsewhere", None)] {
            let mut sign_in = world.sign_in(&user);
            sign_in.connection_id = at;
            let token = hash(cookie);
            let lifetimes = crate::support::LIFETIMES;
            let session = world
                .tx(async |tx| session::start(tx, world.start(), &sign_in, &token, lifetimes).await)
                .await;
            sessions.push(session);
        }
        let live = async || {
            let mut live = Vec::new();
            for session in &sessions {
                let found = world
                    .tx(async |tx| session::find_live(tx, &session.id, T0).await)
                    .await;
                live.push(found.is_some());
            }
            live
        };
        world
            .tx(async |tx| connection::disable(tx, world.start(), &connection.id).await)
            .await;
        assert_eq!(live().await, [true, true]);
        world
            .tx(async |tx| connection::delete(tx, world.start(), &connection.id).await)
            .await;
        assert_eq!(live().await, [false, true]);
    })
    .await;
}

#[tokio::test]
async fn connections_are_searched_over_all_organizations() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let mut draft = Connection::new(
            world.start(),
            Some(organization.id.clone()),
            Provider::Adfs,
            Settings::new(Kind::Saml),
        );
        draft.key_id = Some("100%_sure".to_owned());
        let everywhere = world.new_connection(None);
        insert(world, &draft).await;
        insert(world, &everywhere).await;

        let search = async |filter: Filter| {
            let (found, count) = world
                .tx(async |tx| {
                    let found = connection::search(tx, &filter, &Page::first(30)).await?;
                    Ok((found, connection::count(tx, &filter, 99).await?))
                })
                .await;
            assert_eq!(i64::try_from(found.len()).unwrap(), count);
            found
                .into_iter()
                .map(|listed| listed.connection.id)
                .collect::<Vec<_>>()
        };
        let query = |text: &str| Filter {
            query: Some(text.to_owned()),
            ..Filter::default()
        };
        let both = [draft.id.clone(), connection.id.clone()];
        assert_eq!(search(Filter::default()).await, both);
        assert_eq!(search(query("ACM")).await, both, "the organization");
        assert_eq!(search(query(organization.id.as_str())).await, both);
        assert_eq!(search(query("okta")).await, both[1..]);
        assert_eq!(search(query("0%_s")).await, both[..1], "no wildcards");
        assert_eq!(search(query("0%s")).await, []);
        assert_eq!(search(query(draft.id.as_str())).await, both[..1]);
        let filters = [
            Filter {
                status: Some(Status::Draft),
                ..Filter::default()
            },
            Filter {
                kind: Some(Kind::Saml),
                ..Filter::default()
            },
            Filter {
                enabled: Some(false),
                ..Filter::default()
            },
            Filter {
                provider: Some(Provider::Adfs),
                ..Filter::default()
            },
        ];
        for filter in filters {
            assert_eq!(search(filter).await, both[..1]);
        }
        let listed = world
            .tx(async |tx| connection::search(tx, &Filter::default(), &Page::first(1)).await)
            .await;
        assert_eq!(listed[0].organization_name, "Acme");
        assert_eq!(listed[0].domains, ["acme.test"]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_found_only_where_it_belongs_and_keeps_its_context() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let other = world.organization().await;
        let everywhere = world.new_connection(None);
        insert(world, &everywhere).await;
        let find = async |organization, id| {
            world
                .tx(async |tx| connection::find_of(tx, organization, id).await)
                .await
                .is_some()
        };
        assert!(find(Some(&organization.id), &connection.id).await);
        assert!(!find(Some(&other.id), &connection.id).await);
        assert!(!find(None, &connection.id).await);
        assert!(find(None, &everywhere.id).await);
        assert!(!find(Some(&organization.id), &everywhere.id).await);

        let context = json!({ "ticket": 17 }).as_object().unwrap().clone();
        let kept = world
            .tx(async |tx| {
                connection::set_context(tx, world.start(), &connection.id, &context).await?;
                connection::context(tx, &connection.id).await
            })
            .await;
        assert_eq!(kept, context);
    })
    .await;
}

/// The rule lies below every caller: if a caller forgets to check, the secret is deleted and not leaked.
#[tokio::test]
async fn the_store_lets_no_secret_follow_to_another_endpoint() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let moved = |connection: &Connection| {
            let mut moved = connection.clone();
            moved.settings.as_oidc_mut().unwrap().token_uri = Some("https://thief.test".to_owned());
            moved
        };
        let refused = world
            .failed_tx(async |tx| connection::update(tx, world.after(1), &moved(&connection)).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::CONNECTION_INCOMPLETE)),
            "{refused:?}"
        );
        assert_eq!(find(world, &connection).await, connection);

        world
            .tx(async |tx| connection::disable(tx, world.after(2), &connection.id).await)
            .await;
        let disabled = find(world, &connection).await;
        world
            .tx(async |tx| connection::update(tx, world.after(3), &moved(&disabled)).await)
            .await;
        assert_eq!(find(world, &connection).await.client_secret_sealed, None);
    })
    .await;
}
