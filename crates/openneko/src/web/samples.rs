//! A sample of every page, for the tests: rendered here, looked at in a browser
//! by `tests/browser/pages.mjs`.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;

use crate::web::door::Door;
use crate::web::page::{moment, page};
use crate::web::plugin::{DeniedEgress, Installed, Overview, Provider};
use crate::web::problem::Problem;
use crate::web::rules::{Role, Rules};
use crate::web::store::audit::{Event, Kind};
use crate::web::store::user::User;
use crate::web::templates::{BeginPage, Dashboard, Desk, ErrorPage, Notice, SignInPage, SwitchPage, UserRow};

const LONG: &str = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn provider(pending: &[&str]) -> Provider {
    Provider {
        plugin_name: "@open-neko/plugin-scalekit".to_owned(),
        provider_label: "Scalekit".to_owned(),
        pending: pending.iter().map(|key| (*key).to_owned()).collect(),
    }
}

fn user(id: &str, email: &str, name: Option<&str>) -> User {
    User {
        id: id.to_owned(),
        provider: Some("@open-neko/plugin-scalekit".to_owned()),
        sub: Some("s1".to_owned()),
        email: email.to_owned(),
        name: name.map(str::to_owned),
        role: Role::Admin,
        provider_org_id: Some("org_102000000000001".to_owned()),
        groups: vec!["Engineering".to_owned(), "Owners".to_owned(), LONG.to_owned()],
        created_at: at(0),
        last_login_at: Some(at(60)),
        disabled_at: None,
    }
}

fn begin(login_hint: Option<&str>) -> BeginPage<'_> {
    BeginPage {
        provider_label: "Scalekit",
        login_hint,
        return_to: "/",
        token: "AAAA",
    }
}

fn switch() -> Response {
    let now = user("usr_1", "victim@acme.test", Some("Vic Tim"));
    let mut next = user("usr_2", &format!("mallory.{LONG}@evil.test").to_lowercase(), None);
    next.provider_org_id = Some("org_102000000000002".to_owned());
    page(
        StatusCode::OK,
        &SwitchPage {
            now: &now,
            next: &next,
            token: "AAAA",
        },
    )
}

fn doors() -> Vec<(&'static str, Response)> {
    let whole = SignInPage {
        door: &Door::Open(provider(&[])),
        problem: None,
        reference: None,
        signed_out: false,
        return_to: "/",
        token: "AAAA",
        is_operator: true,
    };
    let failed = SignInPage {
        problem: Some(Problem::PluginFailed),
        reference: Some("ref_0Lk3mNp9QrSt"),
        ..whole
    };
    let signed_out = SignInPage {
        signed_out: true,
        ..whole
    };
    let shut = [
        (
            "signin-pending",
            Door::Pending(provider(&["SCALEKIT_CLIENT_ID", "SCALEKIT_CLIENT_SECRET"])),
        ),
        ("signin-setup", Door::Setup),
        (
            "signin-lost",
            Door::Lost(Some("@open-neko/plugin-scalekit".to_owned())),
        ),
        ("signin-no-public-url", Door::NoPublicUrl),
    ];
    let mut pages = vec![
        ("signin", page(StatusCode::OK, &whole)),
        ("signin-failed", page(StatusCode::OK, &failed)),
        ("signin-signed-out", page(StatusCode::OK, &signed_out)),
        ("begin", page(StatusCode::OK, &begin(Some("mallory@evil.test")))),
        ("begin-unnamed", page(StatusCode::OK, &begin(None))),
    ];
    for (name, door) in &shut {
        pages.push((*name, page(StatusCode::OK, &SignInPage { door, ..whole })));
    }
    let stranger = SignInPage {
        door: &Door::Setup,
        is_operator: false,
        ..whole
    };
    pages.push(("signin-setup-stranger", page(StatusCode::OK, &stranger)));
    let error = ErrorPage {
        heading: "Signing in does not work at the moment",
        why: "The plugin that signs people in did not answer.",
        what_to_do: "try again in a moment. If it happens again, send the reference to your IT team.",
        reference: Some("ref_0Lk3mNp9QrSt"),
        next: Some(("Back to sign-in", "/signin")),
    };
    pages.push(("error", page(StatusCode::BAD_GATEWAY, &error)));
    pages
}

fn overview() -> Overview {
    Overview {
        plugins: vec![
            Installed {
                name: "@open-neko/plugin-scalekit".to_owned(),
                version: "0.2.1".to_owned(),
                engine: "WebAssembly".to_owned(),
                signs_in: true,
                hosts: vec!["*.scalekit.com".to_owned()],
                grants: vec!["auth.acme.com:8443, private addresses too".to_owned()],
            },
            Installed {
                name: format!("@acme/plugin-{}", "x".repeat(60)),
                version: "1.0.0".to_owned(),
                engine: "not at all: no engine of this machine runs native programs".to_owned(),
                signs_in: false,
                hosts: Vec::new(),
                grants: Vec::new(),
            },
        ],
        denials: vec![DeniedEgress {
            at: at(30),
            plugin: "@open-neko/plugin-scalekit".to_owned(),
            host: "evil.example".to_owned(),
            reason: "not among the granted hosts".to_owned(),
        }],
    }
}

fn member() -> User {
    User {
        role: Role::Member,
        name: None,
        groups: Vec::new(),
        provider_org_id: None,
        ..user("usr_2", "grace@acme.com", None)
    }
}

/// What everybody sees who is no admin.
fn benches() -> Vec<(&'static str, Response)> {
    let member = member();
    let plain = Dashboard {
        user: &member,
        session_ends: moment(&at(43_200)),
        notice: None,
        first_admin_token: None,
        desk: None,
    };
    let first = Dashboard {
        notice: Some(Notice::WrongWord),
        first_admin_token: Some("AAAA".to_owned()),
        session_ends: moment(&at(43_200)),
        desk: None,
        user: &member,
    };
    vec![
        ("switch", switch()),
        ("dashboard-first-admin", page(StatusCode::OK, &first)),
        ("dashboard-member", page(StatusCode::OK, &plain)),
    ]
}

fn desks() -> Vec<(&'static str, Response)> {
    let ada = user("usr_1", "ada@acme.com", Some("Ada Lovelace"));
    let member = member();
    let disabled = User {
        disabled_at: Some(at(90)),
        last_login_at: None,
        ..user(
            "usr_3",
            "somebody.with.a.long.address@a.long.subdomain.of.acme.com",
            Some(LONG),
        )
    };
    let failure = Event {
        code: Some("domain_not_allowed".to_owned()),
        email: Some("eve@evil.example".to_owned()),
        ip: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".to_owned()),
        ..Event::new(Kind::SignInFailed, at(40), "ref_0Lk3mNp9QrSt")
    };
    let changed = Event {
        email: Some("grace@acme.com".to_owned()),
        detail: Some("admin to member, by their groups".to_owned()),
        ..Event::new(Kind::RoleChanged, at(41), "ref_1Lk3mNp9QrSt")
    };
    let row = |user: &User, is_self| UserRow {
        user: user.clone(),
        is_self,
        token: "token".to_owned(),
    };
    let rules = Rules {
        allowed_organizations: ["org_102000000000001".to_owned()].into(),
        allowed_domains: ["acme.com".to_owned(), "acme.example".to_owned()].into(),
        admin_groups: [(
            "org_102000000000001".to_owned(),
            ["owners".to_owned(), "platform".to_owned()].into(),
        )]
        .into(),
        ..Rules::default()
    };
    let open = Rules::default();
    let admin = Dashboard {
        user: &ada,
        session_ends: moment(&at(43_200)),
        notice: Some(Notice::LastAdmin),
        first_admin_token: None,
        desk: Some(Desk {
            overview: overview(),
            events: vec![failure, changed],
            users: vec![row(&ada, true), row(&member, false), row(&disabled, false)],
            rules: &rules,
        }),
    };
    let empty = Dashboard {
        notice: Some(Notice::Enabled),
        desk: Some(Desk {
            overview: Overview::default(),
            events: Vec::new(),
            users: vec![row(&ada, true)],
            rules: &open,
        }),
        session_ends: moment(&at(43_200)),
        first_admin_token: None,
        ..admin
    };
    vec![
        ("dashboard-admin", page(StatusCode::OK, &admin)),
        ("dashboard-empty", page(StatusCode::OK, &empty)),
    ]
}

mod tests {
    use std::fs;
    use std::path::Path;

    use axum::body::to_bytes;
    use axum::response::IntoResponse as _;
    use http::header;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::web::static_files::{FAVICON, STYLESHEET};

    /// A page and its sheet: everything a browser loads at a door.
    const LIMIT_BYTES: usize = 30 * 1024;

    #[tokio::test]
    async fn every_page_renders_from_its_sample() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pages-openneko");
        for (name, response) in doors().into_iter().chain(benches()).chain(desks()) {
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            let html = std::str::from_utf8(&body).unwrap();
            assert!(
                html.starts_with("<!doctype html>\n<html lang=\"en\">"),
                "{name}: {html}"
            );
            assert_eq!(html.matches("<h1>").count(), 1, "{name} has one heading");
            assert_eq!(html.matches("<main").count(), 1, "{name} has one main landmark");
            assert!(
                html.len() + STYLESHEET.size_bytes() < LIMIT_BYTES,
                "{name} weighs too much"
            );
            // The policy forbids all of these: a page that has one is broken.
            for forbidden in [
                "<script",
                "<style",
                " style=",
                " onclick=",
                " onload=",
                "src=\"http",
            ] {
                assert!(!html.contains(forbidden), "{name} contains {forbidden}");
            }
            assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{name}");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"),
                "{policy}"
            );
            write(&directory.join(name), (status, headers, body).into_response()).await;
        }
        for file in [&STYLESHEET, &FAVICON] {
            let href = file.href().to_string();
            let path = href.split_once('?').map_or(&*href, |(path, _)| path);
            write(&directory.join(path.trim_start_matches('/')), file.response()).await;
        }
    }

    #[tokio::test]
    async fn what_came_from_outside_is_escaped() {
        let mut eve = user(
            "usr_1",
            "\"><img src=x>@evil.test",
            Some("<script>alert(1)</script>"),
        );
        eve.groups = vec!["<b>".to_owned()];
        eve.provider_org_id = Some("<i>".to_owned());
        let dashboard = Dashboard {
            user: &eve,
            session_ends: String::new(),
            notice: None,
            first_admin_token: None,
            desk: None,
        };
        let body = to_bytes(page(StatusCode::OK, &dashboard).into_body(), 1 << 20)
            .await
            .unwrap();
        let html = std::str::from_utf8(&body).unwrap();
        for bad in ["<script", "<img", "<b>", "<i>"] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
    }

    /// Writes an answer as the browser would get it: `{status, headers, body}`.
    async fn write(path: &Path, response: Response) {
        let headers: Map<String, Value> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let answer = json!({ "status": status, "headers": headers, "body": String::from_utf8_lossy(&body) });
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut name = path.as_os_str().to_owned();
        name.push(".json");
        fs::write(name, answer.to_string()).unwrap();
    }
}
