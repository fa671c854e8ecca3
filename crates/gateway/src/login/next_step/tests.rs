//! The table of a login's steps.

use std::time::Duration;

use genkan_protocol::oauth::{
    AuthorizationRequest, ClientRules, Parameters, Recipient, authorization_request,
};
use genkan_protocol::oidc::IdToken;
use genkan_protocol::{EmailAddress, Timestamp};
use genkan_store::connection::{Connection, Kind, Settings};
use genkan_store::proof::Proofs;
use genkan_store::session::{Session, Status};
use genkan_store::user::User;
use genkan_store::{Generator, OrganizationId, Proof, Provider, Stamp};
use serde_json::json;

use super::*;
use crate::login::route::NoTarget;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

struct World {
    ada: BrowserSession,
    here: Connection,
    elsewhere: Connection,
}

impl World {
    fn new() -> Self {
        let ids = Generator::random();
        let at = Stamp::new(&ids, NOW);
        let connection = || {
            let organization_id: OrganizationId = at.id();
            let settings = Settings::new(Kind::Oidc);
            Connection::new(at, Some(organization_id), Provider::Okta, settings)
        };
        let (here, elsewhere) = (connection(), connection());
        let user = User::new(at.id(), EmailAddress::parse("ada@acme.test").unwrap(), NOW);
        let proof = Proof::Connection {
            connection_id: here.id.clone(),
            subject: "ada".to_owned(),
        };
        let session = Session {
            id: at.id(),
            user_id: user.id.clone(),
            organization_id: here.organization_id.clone(),
            connection_id: Some(here.id.clone()),
            status: Status::Active,
            authenticated_at: NOW,
            proofs: Proofs::of(&proof, Some(NOW)),
            created_at: NOW,
            last_active_at: NOW,
            idle_expires_at: NOW + Duration::from_secs(3600),
            expires_at: NOW + Duration::from_secs(3600),
            ended_at: None,
            ip: None,
            user_agent: None,
        };
        Self {
            ada: BrowserSession { session, user },
            here,
            elsewhere,
        }
    }

    /// Every stage of a login.
    fn stages(&self) -> [Stage; 8] {
        let connection_id = self.here.id.clone();
        [
            Stage::Started,
            Stage::Identifying,
            Stage::At(Way::Connection {
                connection_id: connection_id.clone(),
                email: None,
            }),
            Stage::At(Way::Mail {
                address: self.ada.user.email.clone(),
            }),
            Stage::At(Way::Passkey),
            Stage::Arrived { connection_id },
            Stage::Authenticated {
                session_id: self.ada.session.id.clone(),
            },
            Stage::Completed,
        ]
    }
}

/// Nobody is signed in, and the request has no conditions.
fn facts() -> Facts {
    Facts {
        request: Box::new(request("")),
        stage: Stage::Started,
        signed_in: None,
        session_gives: true,
        target: Ok(None),
        hint: None,
        now: NOW,
    }
}

fn request(more: &str) -> AuthorizationRequest {
    let redirect_uri = "https://rp.test/callback";
    let raw = format!("response_type=code&client_id=c&redirect_uri={redirect_uri}&scope=openid&{more}");
    let parameters = Parameters::parse(raw.as_bytes()).unwrap();
    let recipient = Recipient::parse(&parameters).unwrap();
    let rules = ClientRules {
        redirect_uri,
        redirect_uri_given: true,
        require_pkce: false,
    };
    authorization_request::validate(&parameters, &recipient, &rules).unwrap()
}

fn asking(more: &str) -> Facts {
    Facts {
        request: Box::new(request(more)),
        ..facts()
    }
}

fn at(connection: &Connection) -> Result<Option<Target>, NoTarget> {
    Ok(Some(Target::Connection(Box::new(connection.clone()))))
}

fn ours(user: &User) -> Option<Hint> {
    let claims = json!({
        "iss": "https://gateway.test", "aud": ["c"], "azp": "c", "client_id": "c", "sub": user.id.as_str(),
        "iat": 0, "exp": 0,
    });
    let claims: IdToken = serde_json::from_value(claims).unwrap();
    Some(Hint::Ours(Box::new(claims)))
}

fn authenticate(connection: &Connection) -> Option<Step<'_>> {
    Some(Step::Authenticate {
        connection_id: &connection.id,
        login_hint: None,
    })
}

const fn refuse(refusal: Refusal) -> Option<Step<'static>> {
    Some(Step::Refuse(refusal))
}

#[test]
fn a_stranger_is_asked_or_sent_on() {
    let world = World::new();
    assert_eq!(next_step(&facts()), Some(Step::Identify));
    let led = Facts {
        target: at(&world.here),
        ..facts()
    };
    assert_eq!(next_step(&led), authenticate(&world.here));
}

#[test]
fn a_fitting_session_completes_unless_the_client_insists() {
    let World { ada, here, elsewhere } = World::new();
    let complete = Some(Step::Complete(Place::of(&ada.session, None)));
    let to = |target: Option<&Connection>| target.map_or(Ok(None), at);
    for (prompt, target, expected) in [
        ("", None, complete),
        ("", Some(&here), complete),
        ("", Some(&elsewhere), authenticate(&elsewhere)),
        ("prompt=login", None, Some(Step::Identify)),
        ("prompt=login", Some(&here), authenticate(&here)),
        ("prompt=select_account", None, Some(Step::SelectAccount(&ada))),
        ("prompt=select_account", Some(&here), complete),
        (
            "prompt=select_account",
            Some(&elsewhere),
            authenticate(&elsewhere),
        ),
        ("prompt=none", None, complete),
        ("prompt=none", Some(&here), complete),
        ("prompt=none", Some(&elsewhere), refuse(Refusal::NoSession)),
    ] {
        let facts = Facts {
            signed_in: Some(ada.clone()),
            target: to(target),
            ..asking(prompt)
        };
        assert_eq!(next_step(&facts), expected, "{prompt} {target:?}");
    }
}

/// OIDC Core §3.1.2.1: `max_age`, `login_hint` and `id_token_hint` say which session is acceptable.
#[test]
fn a_session_that_is_too_old_or_somebody_elses_does_not_fit() {
    let World { ada, .. } = World::new();
    let bob = World::new().ada.user;
    let two_minutes_on = NOW + Duration::from_secs(120);
    let complete = Some(Step::Complete(Place::of(&ada.session, None)));
    for (more, now, hint, is_fit) in [
        ("max_age=120", two_minutes_on, None, true),
        ("max_age=119", two_minutes_on, None, false),
        ("login_hint=ADA@acme.test", NOW, None, true),
        ("login_hint=bob@acme.test", NOW, None, false),
        ("login_hint=0042", NOW, None, true),
        ("", NOW, ours(&ada.user), true),
        ("", NOW, ours(&bob), false),
    ] {
        let facts = Facts {
            signed_in: Some(ada.clone()),
            now,
            hint,
            ..asking(more)
        };
        let expected = if is_fit { complete } else { Some(Step::Identify) };
        assert_eq!(next_step(&facts), expected, "{more}");
    }
}

/// Its connection is disabled, and the application has no grant of it.
#[test]
fn a_session_that_gives_nothing_does_not_fit() {
    let world = World::new();
    let cut_off = |stage, more: &str| Facts {
        stage,
        signed_in: Some(world.ada.clone()),
        session_gives: false,
        ..asking(more)
    };
    let session_id = world.ada.session.id.clone();
    for (stage, more, expected) in [
        (Stage::Started, "", Some(Step::Identify)),
        (Stage::Started, "prompt=select_account", Some(Step::Identify)),
        (Stage::Started, "prompt=none", refuse(Refusal::NoSession)),
        (Stage::Authenticated { session_id }, "", None),
    ] {
        assert_eq!(next_step(&cut_off(stage, more)), expected, "{more}");
    }
}

#[test]
fn a_request_that_leads_nowhere_is_refused_at_every_stage() {
    let world = World::new();
    let no_target = NoTarget::ConnectionNotActive;
    for stage in world.stages() {
        let over = stage == Stage::Completed;
        for (target, hint, refusal) in [
            (Err(no_target), None, Refusal::NoTarget(no_target)),
            (Err(no_target), Some(Hint::Forged), Refusal::NoTarget(no_target)),
            (Ok(None), Some(Hint::Forged), Refusal::ForgedHint),
            (Ok(None), Some(Hint::UnknownKey), Refusal::UnknownHint),
        ] {
            let facts = Facts {
                stage: stage.clone(),
                signed_in: Some(world.ada.clone()),
                target,
                hint,
                ..facts()
            };
            let expected = refuse(refusal).filter(|_| !over);
            assert_eq!(next_step(&facts), expected, "{stage:?}");
        }
    }
}

/// Every stage and every way of signing in. No page leads to the last two ways yet.
#[test]
fn each_stage_has_its_step() {
    let world = World::new();
    let complete = Some(Step::Complete(Place::of(&world.ada.session, None)));
    let expected = [
        complete,
        Some(Step::Identify),
        authenticate(&world.here),
        None,
        None,
        Some(Step::ConfirmSwitch),
        complete,
        None,
    ];
    for (stage, expected) in world.stages().into_iter().zip(expected) {
        let facts = Facts {
            stage,
            signed_in: Some(world.ada.clone()),
            ..facts()
        };
        assert_eq!(next_step(&facts), expected, "{:?}", facts.stage);
    }
}

#[test]
fn a_choice_counts_before_the_place_that_the_request_names() {
    let world = World::new();
    let facts = Facts {
        stage: Stage::At(Way::Connection {
            connection_id: world.here.id.clone(),
            email: Some("ada@acme.test".to_owned()),
        }),
        target: at(&world.elsewhere),
        ..asking("login_hint=bob@acme.test")
    };
    let expected = Step::Authenticate {
        connection_id: &world.here.id,
        login_hint: Some("ada@acme.test"),
    };
    assert_eq!(next_step(&facts), Some(expected));
}

/// OIDC Core §3.1.2.1: with `none`, no page may be shown.
#[test]
fn prompt_none_never_asks() {
    let world = World::new();
    for signed_in in [None, Some(&world.ada)] {
        for target in [Ok(None), at(&world.here), at(&world.elsewhere)] {
            // A page leads to the other stages.
            for stage in [
                Stage::Started,
                Stage::Arrived {
                    connection_id: world.here.id.clone(),
                },
            ] {
                let facts = Facts {
                    stage,
                    signed_in: signed_in.cloned(),
                    target: target.clone(),
                    ..asking("prompt=none")
                };
                let step = next_step(&facts);
                assert!(
                    matches!(step, Some(Step::Complete(_) | Step::Refuse(Refusal::NoSession))),
                    "{facts:?}"
                );
            }
        }
    }
}

/// At every stage, a code is issued only with a session of this browser that fits, or with the session that
/// this login made.
#[test]
fn nothing_completes_without_an_authenticated_person() {
    let world = World::new();
    let prompts = ["", "prompt=none", "prompt=login", "prompt=select_account"];
    for (stage, prompt) in world
        .stages()
        .into_iter()
        .flat_map(|stage| prompts.map(|prompt| (stage.clone(), prompt)))
    {
        let stranger = World::new().ada;
        for (signed_in, target) in [
            (None, Ok(None)),
            (None, at(&world.here)),
            (Some(&stranger), at(&world.here)),
        ] {
            let facts = Facts {
                stage: stage.clone(),
                signed_in: signed_in.cloned(),
                target,
                ..asking(prompt)
            };
            assert!(
                !matches!(
                    next_step(&facts),
                    Some(Step::Complete(_) | Step::SelectAccount(_))
                ),
                "{facts:?}"
            );
        }
    }
}

#[test]
fn what_was_authenticated_must_still_be_what_the_request_wants() {
    let world = World::new();
    let done = |more: &str, target, hint| Facts {
        stage: Stage::Authenticated {
            session_id: world.ada.session.id.clone(),
        },
        signed_in: Some(world.ada.clone()),
        target,
        hint,
        ..asking(more)
    };
    let complete = Some(Step::Complete(Place::of(&world.ada.session, None)));
    let bob = World::new().ada.user;
    for (more, target, hint, expected) in [
        (
            "connection_id=c",
            at(&world.here),
            ours(&world.ada.user),
            complete,
        ),
        ("connection_id=c", at(&world.elsewhere), None, None),
        ("organization_id=o", at(&world.elsewhere), None, None),
        ("domain_hint=d.test", at(&world.elsewhere), None, None),
        // They chose another place than the hint's.
        ("login_hint=ada@beta.test", at(&world.elsewhere), None, complete),
        ("", Ok(None), ours(&bob), refuse(Refusal::SomebodyElse)),
        // The question was asked already.
        ("prompt=login", Ok(None), None, complete),
    ] {
        assert_eq!(next_step(&done(more, target, hint)), expected, "{more}");
    }
}

/// The whole table of who is asked.
#[test]
fn a_switch_is_asked_for_unless_a_form_of_ours_began_it() {
    use PresentSession::{Elsewhere, Nobody, SamePlace, SomebodyElse};
    for bits in 0..8_u8 {
        let bit = |n: u8| bits & (1 << n) != 0;
        let asked = |present| {
            must_ask(ArrivalFacts {
                began_by_form: bit(0),
                present,
                is_foreign: bit(1),
                is_remembered: bit(2),
            })
        };
        let (by_form, first_and_foreign) = (bit(0), bit(1) && !bit(2));
        assert_eq!(asked(SomebodyElse), !by_form, "{bits:b}");
        assert_eq!(asked(Nobody), !by_form && first_and_foreign, "{bits:b}");
        assert_eq!(asked(Elsewhere), !by_form && first_and_foreign, "{bits:b}");
        assert!(!asked(SamePlace), "{bits:b}");
    }
}
