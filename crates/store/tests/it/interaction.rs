//! Logins in progress, requests to providers, and traces of failed logins.

use genkan_protocol::Trace;
use genkan_protocol::oauth::{AuthorizationRequest, Prompt, Scope};
use genkan_store::interaction::{self, Interaction, LIFETIME, Request, Stage, Way};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::upstream_request::{self, ExpectedAnswer, UpstreamRequest};
use genkan_store::{Error, InstanceKey, InteractionId, Page, Secret, TraceId};

use crate::support::{T0, World, email, hash, on_each_engine, race, secs, try_race};

fn started(world: &World) -> Interaction {
    Interaction {
        id: world.id(),
        browser: hash("browser"),
        request: Request::Authorize(Box::new(AuthorizationRequest {
            client_id: "skc_1".to_owned(),
            redirect_uri: "https://app.test/callback?x=1&y=\"ü\"".to_owned(),
            redirect_uri_given: true,
            response_mode: genkan_protocol::oauth::ResponseMode::Query,
            scope: Scope::parse("openid email").unwrap(),
            state: Some("st\u{7f}ate 🦀".to_owned()),
            nonce: None,
            code_challenge: None,
            prompt: Prompt {
                login: true,
                ..Prompt::default()
            },
            max_age: Some(secs(60)),
            organization_id: None,
            connection_id: None,
            provider: None,
            domain_hint: Some("acme.test".to_owned()),
            login_hint: None,
            id_token_hint: None,
        })),
        is_foreign: false,
        stage: Stage::Started,
        created_at: T0,
        expires_at: T0 + LIFETIME,
    }
}

async fn insert(world: &World) -> Interaction {
    let interaction = started(world);
    world
        .tx(async |tx| interaction::insert(tx, &interaction).await)
        .await;
    interaction
}

#[tokio::test]
async fn an_interaction_goes_on_only_in_the_browser_that_started_it_and_in_time() {
    on_each_engine(async |world| {
        let interaction = insert(world).await;
        let find = async |id: &InteractionId, browser: &str, after: u64| {
            world
                .tx(async |tx| interaction::find(tx, id, &hash(browser), T0 + secs(after)).await)
                .await
        };
        assert_eq!(
            find(&interaction.id, "browser", 3599).await.as_ref(),
            Some(&interaction)
        );
        assert_eq!(find(&interaction.id, "another", 0).await, None, "login CSRF");
        assert_eq!(find(&interaction.id, "browser", 3600).await, None);
        assert_eq!(find(&world.id(), "browser", 0).await, None);
    })
    .await;
}

#[tokio::test]
async fn every_stage_and_request_survives_the_store() {
    on_each_engine(async |world| {
        let connection_id = world.any_connection_id();
        let interaction = Interaction {
            request: Request::TestConnection {
                connection_id: connection_id.clone(),
                test_id: world.id(),
            },
            ..started(world)
        };
        world
            .tx(async |tx| interaction::insert(tx, &interaction).await)
            .await;
        let typed = Some("ada@acme.test".to_owned());
        let stages = [
            Stage::Started,
            Stage::Identifying,
            Stage::At(Way::Connection {
                connection_id: connection_id.clone(),
                email: typed.clone(),
            }),
            Stage::At(Way::Connection {
                connection_id: connection_id.clone(),
                email: typed,
            }),
            Stage::At(Way::Connection {
                connection_id,
                email: None,
            }),
            Stage::At(Way::Mail {
                address: email("ada@acme.test"),
            }),
            Stage::At(Way::Passkey),
            Stage::Authenticated {
                session_id: world.id(),
            },
            Stage::Completed,
        ];
        for pair in stages.windows(2) {
            world
                .tx(async |tx| interaction::advance(tx, &interaction.id, &pair[0], &pair[1]).await)
                .await;
            let found = world
                .tx(async |tx| interaction::find(tx, &interaction.id, &hash("browser"), T0).await)
                .await;
            let expected = Interaction {
                stage: pair[1].clone(),
                ..interaction.clone()
            };
            assert_eq!(found, Some(expected));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_double_clicks_one_advances() {
    on_each_engine(async |world| {
        let interaction = insert(world).await;
        let interaction = &interaction;
        let outcomes = try_race(20, |_| {
            let to = Stage::At(Way::Connection {
                connection_id: world.any_connection_id(),
                email: None,
            });
            world
                .db
                .tx(async move |tx| interaction::advance(tx, &interaction.id, &interaction.stage, &to).await)
        })
        .await;
        let advanced = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let stale = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(Error::Stale)))
            .count();
        assert_eq!((advanced, stale), (1, 19), "{outcomes:?}");
    })
    .await;
}

fn expected() -> ExpectedAnswer {
    ExpectedAnswer::Oidc {
        nonce: "nonce".to_owned(),
        code_verifier: Some(Secret::from_presented("verifier")),
        form_post: false,
        prompt: None,
        login_hint: None,
    }
}

pub(crate) async fn send(world: &World, state: &str) -> UpstreamRequest {
    let (_, connection) = world.company("acme.test").await;
    let interaction = insert(world).await;
    let request = UpstreamRequest {
        state: hash(state),
        interaction_id: interaction.id,
        connection_id: connection.id,
        expected_sealed: expected().seal(&world.key, &hash(state)),
        expires_at: T0 + upstream_request::LIFETIME,
    };
    world
        .tx(async |tx| upstream_request::insert(tx, &request).await)
        .await;
    request
}

#[tokio::test]
async fn a_state_counts_once_and_in_time() {
    on_each_engine(async |world| {
        let request = send(world, "state").await;
        let consume = async |state: &str, after: u64| {
            world
                .tx(async |tx| upstream_request::consume(tx, &hash(state), T0 + secs(after)).await)
                .await
        };
        assert_eq!(consume("forged", 0).await, None);
        let consumed = consume("state", 1799).await;
        assert_eq!(consumed.as_ref(), Some(&request));
        assert_eq!(consume("state", 1799).await, None);

        let opened = consumed.unwrap().expected(&world.key).unwrap();
        assert!(
            matches!(
                &opened,
                ExpectedAnswer::Oidc { nonce, code_verifier: Some(verifier), form_post: false, .. }
                    if nonce == "nonce" && verifier.expose() == "verifier"
            ),
            "{opened:?}"
        );
        assert!(request.expected(&InstanceKey::generate()).is_err());
        let mut moved = request;
        moved.state = hash("another state");
        assert!(
            moved.expected(&world.key).is_err(),
            "what is expected stays with its state"
        );
    })
    .await;
}

#[tokio::test]
async fn a_state_expires() {
    on_each_engine(async |world| {
        send(world, "state").await;
        let late = T0 + upstream_request::LIFETIME;
        let consumed = world
            .tx(async |tx| upstream_request::consume(tx, &hash("state"), late).await)
            .await;
        assert_eq!(consumed, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_concurrent_answers_with_one_state_one_counts() {
    on_each_engine(async |world| {
        send(world, "state").await;
        let answers = race(100, |_| {
            world
                .db
                .tx_read_committed(async |tx| upstream_request::consume(tx, &hash("state"), T0).await)
        })
        .await;
        assert_eq!(answers.iter().filter(|answer| answer.is_some()).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_trace_is_found_by_the_reference_on_the_error_page() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let mut checks = Trace::default();
        checks.pass("Issuer", "https://idp.test");
        checks.fail("Audience", "genkan", "somebody else");
        let traces: Vec<LoginTrace> = [Some(organization.id.clone()), None]
            .into_iter()
            .map(|organization_id| LoginTrace {
                id: world.id(),
                interaction_id: Some(world.id()),
                connection_id: Some(connection.id.clone()),
                organization_id,
                client_id: None,
                cause: "invalid_id_token".to_owned(),
                remedy: "Enter the client ID that the provider gave.".to_owned(),
                trace: checks.clone(),
                created_at: T0,
            })
            .collect();
        for trace in &traces {
            world.tx(async |tx| login_trace::insert(tx, trace).await).await;
        }
        let found = world
            .tx(async |tx| login_trace::find(tx, &traces[0].id).await)
            .await;
        assert_eq!(found.as_ref(), Some(&traces[0]));
        let unknown: TraceId = world.id();
        assert_eq!(
            world.tx(async |tx| login_trace::find(tx, &unknown).await).await,
            None
        );

        let page = Page::first(10);
        let own = world
            .tx(async |tx| login_trace::list(tx, Some(&organization.id), &page).await)
            .await;
        assert_eq!(own, traces[..1], "an organization sees only its own");
        let all = world
            .tx(async |tx| login_trace::list(tx, None, &page).await)
            .await;
        assert_eq!(all, [traces[1].clone(), traces[0].clone()]);
        let page = Page::after(10, traces[1].id.clone());
        assert_eq!(
            world
                .tx(async |tx| login_trace::list(tx, None, &page).await)
                .await,
            traces[..1]
        );
    })
    .await;
}
