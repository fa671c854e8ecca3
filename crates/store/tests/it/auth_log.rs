//! The sign-in log, as the steps of a login write it.

use genkan_protocol::Trace;
use genkan_protocol::oauth::{AuthorizationRequest, Prompt, Scope};
use genkan_store::auth_log::{self, AuthLog, Filter, Method, Status};
use genkan_store::client::Kind as ClientKind;
use genkan_store::interaction::{self, Interaction, LIFETIME, Request, Stage, Way};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::{Error, InteractionId, Page, TraceId, janitor, session};

use crate::support::{T0, World, email, hash, on_each_engine, secs};

async fn begin(world: &World, client_id: &str, hint: Option<&str>, after: u64) -> Interaction {
    let at = world.after(after);
    let interaction = Interaction {
        id: at.id(),
        browser: hash("browser"),
        request: Request::Authorize(Box::new(AuthorizationRequest {
            client_id: client_id.to_owned(),
            redirect_uri: "https://app.test/callback".to_owned(),
            redirect_uri_given: true,
            response_mode: genkan_protocol::oauth::ResponseMode::Query,
            scope: Scope::parse("openid").unwrap(),
            state: None,
            nonce: None,
            code_challenge: None,
            prompt: Prompt::default(),
            max_age: None,
            organization_id: None,
            connection_id: None,
            provider: None,
            domain_hint: None,
            login_hint: hint.map(str::to_owned),
            id_token_hint: None,
        })),
        is_foreign: false,
        stage: Stage::Started,
        created_at: at.now,
        expires_at: at.now + LIFETIME,
    };
    world
        .tx(async |tx| interaction::insert(tx, &interaction).await)
        .await;
    interaction
}

async fn advance(world: &World, id: &InteractionId, from: &Stage, to: &Stage) {
    world
        .tx(async |tx| interaction::advance(tx, id, from, to).await)
        .await;
}

async fn fail(world: &World, id: &InteractionId) -> TraceId {
    let trace = LoginTrace {
        id: world.id(),
        interaction_id: Some(id.clone()),
        connection_id: None,
        organization_id: None,
        client_id: None,
        cause: "invalid_id_token".to_owned(),
        remedy: String::new(),
        trace: Trace::default(),
        created_at: T0,
    };
    world.tx(async |tx| login_trace::insert(tx, &trace).await).await;
    trace.id
}

async fn list(world: &World, filter: &Filter) -> Vec<AuthLog> {
    world
        .tx(async |tx| auth_log::list(tx, filter, T0 + secs(30), &Page::first(50)).await)
        .await
}

async fn only(world: &World) -> AuthLog {
    let mut all = list(world, &Filter::default()).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn every_step_of_a_login_is_noted() {
    on_each_engine(async |world| {
        let client = world.client(ClientKind::WebApp).await;
        let (organization, connection) = world.company("acme.test").await;
        let login = begin(world, client.id.as_str(), Some("not an address"), 0).await;
        let log = only(world).await;
        assert_eq!(
            (log.id.clone(), log.status),
            (login.id.clone(), Status::Initiated)
        );
        assert_eq!((log.email.clone(), log.created_at, log.method), (None, T0, None));
        assert_eq!(log.client_name.as_deref(), Some(client.name.as_str()));
        assert_eq!(log.client_kind.as_deref(), Some("WEB_APP"));

        let away = Stage::At(Way::Connection {
            connection_id: connection.id.clone(),
            email: Some("ada@acme.test".to_owned()),
        });
        advance(world, &login.id, &Stage::Started, &away).await;
        let log = only(world).await;
        assert_eq!(log.status, Status::Pending);
        assert_eq!(log.email.as_deref(), Some("ada@acme.test"));
        assert_eq!(log.organization_id, Some(organization.id));
        assert_eq!(log.connection_id, Some(connection.id));
        assert_eq!(log.connection_kind.as_deref(), Some("OIDC"));
        assert!(log.connection_provider.is_some());

        let user = world.user("ada.lovelace@acme.test").await;
        let session = world.session(&user, "cookie").await;
        let authenticated = Stage::Authenticated {
            session_id: session.id.clone(),
        };
        advance(world, &login.id, &away, &authenticated).await;
        let log = only(world).await;
        assert_eq!(
            (log.status, log.method),
            (Status::Success, Some(Method::Connection))
        );
        assert_eq!(log.user_id, Some(user.id));
        assert_eq!(log.email.as_deref(), Some("ada.lovelace@acme.test"));

        fail(world, &login.id).await;
        assert_eq!(only(world).await.status, Status::Success, "a stale tab");
    })
    .await;
}

#[tokio::test]
async fn a_failure_names_its_trace_and_a_second_try_goes_on() {
    on_each_engine(async |world| {
        let client = world.client(ClientKind::WebApp).await;
        let (_, connection) = world.company("acme.test").await;
        let login = begin(world, client.id.as_str(), None, 0).await;
        let trace_id = fail(world, &login.id).await;
        let log = only(world).await;
        assert_eq!((log.status, log.trace_id), (Status::Failure, Some(trace_id)));
        let chosen = Stage::At(Way::Connection {
            connection_id: connection.id,
            email: None,
        });
        advance(world, &login.id, &Stage::Started, &chosen).await;
        assert_eq!(only(world).await.status, Status::Pending);
    })
    .await;
}

#[tokio::test]
async fn the_log_says_how_somebody_proved_who_they_are() {
    on_each_engine(async |world| {
        let client = world.client(ClientKind::WebApp).await;
        let (_, connection) = world.company("acme.test").await;
        let user = world.user("ada@acme.test").await;
        let session = world.session(&user, "cookie").await;
        let connection_id = connection.id;
        let at_connection = Stage::At(Way::Connection {
            connection_id: connection_id.clone(),
            email: None,
        });
        let by_mail = Stage::At(Way::Mail {
            address: user.email.clone(),
        });
        let arrived = Stage::Arrived { connection_id };
        let cases = [
            (Stage::Started, Method::Session),
            (Stage::Identifying, Method::Session),
            (at_connection, Method::Connection),
            (arrived.clone(), Method::Connection),
            (by_mail, Method::Mail),
            (Stage::At(Way::Passkey), Method::Passkey),
        ];
        for (from, method) in cases {
            let login = begin(world, client.id.as_str(), None, 0).await;
            if from != Stage::Started {
                advance(world, &login.id, &Stage::Started, &from).await;
            }
            let authenticated = Stage::Authenticated {
                session_id: session.id.clone(),
            };
            advance(world, &login.id, &from, &authenticated).await;
            let logs = list(world, &Filter::default()).await;
            let log = logs.iter().find(|log| log.id == login.id).unwrap();
            assert_eq!(log.method, Some(method), "{from:?}");
        }

        // Another person arrived, and the person at the browser keeps their session.
        let login = begin(world, client.id.as_str(), None, 0).await;
        advance(world, &login.id, &Stage::Started, &arrived).await;
        world
            .tx(async |tx| interaction::stay(tx, &login.id, &arrived, &session.id).await)
            .await;
        let logs = list(world, &Filter::default()).await;
        let log = logs.iter().find(|log| log.id == login.id).unwrap();
        assert_eq!(log.method, Some(Method::Session));
        let again = world
            .failed_tx(async |tx| interaction::stay(tx, &login.id, &arrived, &session.id).await)
            .await;
        assert!(matches!(again, Error::Stale), "it counts once");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_answers_at_once_is_a_success() {
    on_each_engine(async |world| {
        let (client, session, _) = world.signed_in(ClientKind::WebApp).await;
        world
            .tx(async |tx| {
                let facts = session::find_still(tx, &session, T0).await?.unwrap();
                auth_log::answered_by_session(tx, world.start(), &client.id, (&session, &facts)).await
            })
            .await;
        let log = only(world).await;
        assert_eq!(
            (log.status, log.user_id),
            (Status::Success, Some(session.user_id))
        );
        assert_eq!(log.organization_id, session.organization_id);
        assert_eq!(log.connection_id, session.connection_id);
        assert_eq!(log.method, Some(Method::Session));
        assert_eq!(log.email.as_deref(), Some("ada@acme.test"));
    })
    .await;
}

#[tokio::test]
async fn the_log_is_filtered_counted_and_outlives_the_client() {
    on_each_engine(async |world| {
        let (one, other) = (
            world.client(ClientKind::WebApp).await,
            world.client(ClientKind::Spa).await,
        );
        let first = begin(world, one.id.as_str(), Some("ada@acme.test"), 0).await;
        let second = begin(world, other.id.as_str(), Some("bob@acme.test"), 10).await;
        let third = begin(world, one.id.as_str(), Some("ada@acme.test"), 20).await;
        fail(world, &second.id).await;
        let ids = async |filter: Filter| -> Vec<InteractionId> {
            let logs = list(world, &filter).await;
            let count = world
                .tx(async |tx| auth_log::count(tx, &filter, T0 + secs(30), 100).await)
                .await;
            assert_eq!(usize::try_from(count), Ok(logs.len()));
            logs.into_iter().map(|log| log.id).collect()
        };
        let (first, second, third) = (first.id, second.id, third.id);
        let all = || Filter::default();
        assert_eq!(ids(all()).await, [third.clone(), second.clone(), first.clone()]);
        for (filter, expected) in [
            (
                Filter {
                    statuses: vec![Status::Failure, Status::Success],
                    ..all()
                },
                vec![second.clone()],
            ),
            (
                Filter {
                    email: Some(email("ada@acme.test")),
                    ..all()
                },
                vec![third.clone(), first.clone()],
            ),
            (
                Filter {
                    client_id: Some(other.id.clone()),
                    ..all()
                },
                vec![second.clone()],
            ),
            (
                Filter {
                    organization_id: Some(world.id()),
                    ..all()
                },
                vec![],
            ),
            (
                Filter {
                    since: Some(T0 + secs(10)),
                    until: Some(T0 + secs(20)),
                    ..all()
                },
                vec![second.clone()],
            ),
        ] {
            assert_eq!(ids(filter).await, expected);
        }
        world
            .tx(async |tx| genkan_store::client::delete(tx, world.start(), &one.id).await)
            .await;
        let log = list(world, &all()).await.remove(0);
        assert_eq!((log.id, log.client_name), (third, None));

        let retention = janitor::Retention::default();
        let kept = T0 + retention.sign_in_log;
        janitor::sweep(&world.db, &world.ids, kept + secs(5), &retention)
            .await
            .unwrap();
        let left: Vec<_> = list(world, &all()).await.into_iter().map(|log| log.id).collect();
        assert_eq!(left, [second], "what nobody came back from is not kept");
    })
    .await;
}

#[tokio::test]
async fn what_is_open_and_what_is_over_are_one_list_in_pages() {
    on_each_engine(async |world| {
        let client = world.client(ClientKind::WebApp).await;
        let mut ids = Vec::new();
        for number in 0..7 {
            let login = begin(world, client.id.as_str(), None, number).await;
            if number % 3 == 0 {
                fail(world, &login.id).await;
            }
            ids.insert(0, login.id);
        }
        let page = async |page: Page<InteractionId>| -> Vec<InteractionId> {
            let filter = Filter::default();
            let now = T0 + secs(30);
            let logs = world
                .tx(async |tx| auth_log::list(tx, &filter, now, &page).await)
                .await;
            logs.into_iter().map(|log| log.id).collect()
        };
        assert_eq!(page(Page::first(3)).await, ids[..3]);
        assert_eq!(page(Page::after(3, ids[2].clone())).await, ids[3..6]);
        assert_eq!(page(Page::after(3, ids[5].clone())).await, ids[6..]);
        assert_eq!(page(Page::before(3, ids[6].clone())).await, ids[3..6]);
        assert_eq!(page(Page::before(3, ids[3].clone())).await, ids[..3]);
    })
    .await;
}

#[tokio::test]
async fn links_in_the_background_push_out_nobody_who_signs_in() {
    on_each_engine(async |world| {
        let client = world.client(ClientKind::WebApp).await;
        let login = begin(world, client.id.as_str(), None, 0).await;
        for number in 1..=interaction::PER_BROWSER * 2 {
            let at = world.after(u64::try_from(number).unwrap());
            let foreign = Interaction {
                id: at.id(),
                is_foreign: true,
                created_at: at.now,
                ..login.clone()
            };
            world.tx(async |tx| interaction::insert(tx, &foreign).await).await;
        }
        let open = list(world, &Filter::default()).await;
        assert_eq!(open.len(), usize::try_from(interaction::PER_BROWSER).unwrap());
        assert!(open.iter().any(|log| log.id == login.id));
    })
    .await;
}

#[tokio::test]
async fn a_browser_has_a_bound_of_open_sign_ins_and_the_oldest_is_replaced() {
    on_each_engine(async |world| {
        let client = world.client(ClientKind::WebApp).await;
        let most = usize::try_from(interaction::PER_BROWSER).unwrap();
        let mut ids = Vec::new();
        for number in 0..interaction::PER_BROWSER + 3 {
            let login = begin(world, client.id.as_str(), None, u64::try_from(number).unwrap()).await;
            ids.insert(0, login.id);
        }
        let open: Vec<_> = list(world, &Filter::default())
            .await
            .into_iter()
            .map(|log| log.id)
            .collect();
        assert_eq!(open, ids[..most]);
    })
    .await;
}
