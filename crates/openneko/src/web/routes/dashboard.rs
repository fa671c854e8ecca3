//! `GET /`: who is signed in, and for admins the state of the deployment.

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use genkan_db::Error;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::moment;

use super::notice::Notice;
use super::{first_admin, users};
use crate::web::app::{App, SignedIn};
use crate::web::plugin::Overview;
use crate::web::query::Query;
use crate::web::rules::{Role, Rules};
use crate::web::store::audit::{self, Event};
use crate::web::store::user::{self, User};
use crate::web::{reply, store};

/// Events on the page.
const EVENTS: u32 = 25;
/// Users on the page; more are listed by `openneko users list`.
const USERS: u32 = 200;
/// Denials on the page.
const DENIALS: usize = 25;

/// `dashboard.html`
#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
struct Dashboard<'a> {
    user: &'a User,
    session_ends: String,
    notice: Option<Notice>,
    /// The token of the form for the first admin's word, while there is no admin.
    first_admin_token: Option<String>,
    desk: Option<AdminSection<'a>>,
}

impl PageTemplate for Dashboard<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Stay;
}

/// The part of the page for admins.
#[derive(Debug)]
struct AdminSection<'a> {
    overview: Overview,
    events: Vec<Event>,
    users: Vec<UserRow>,
    rules: &'a Rules,
}

/// A user with the form that switches them.
#[derive(Debug)]
struct UserRow {
    user: User,
    is_self: bool,
    token: String,
}

pub(super) async fn dashboard(
    State(app): State<App>,
    Extension(signed_in): Extension<SignedIn>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Query::parse(query.as_deref()).unwrap_or_default();
    let user = &signed_in.session.user;
    let desk = match user.role {
        Role::Member => None,
        Role::Admin => match desk(&app, &signed_in).await {
            Ok(desk) => Some(desk),
            Err(error) => return reply::unavailable(&headers, &error),
        },
    };
    let first_admin_token = match first_admin_token(&app, &signed_in).await {
        Ok(token) => token,
        Err(error) => return reply::unavailable(&headers, &error),
    };
    let page = Dashboard {
        user,
        first_admin_token,
        session_ends: moment(&signed_in.session.expires_at),
        notice: query.get("notice").and_then(Notice::of_code),
        desk,
    };
    Page::new(&page).into_response()
}

/// While there is no admin, a signed-in person may show that they are the operator.
async fn first_admin_token(app: &App, signed_in: &SignedIn) -> Result<Option<String>, Error> {
    if signed_in.session.user.role == Role::Admin {
        return Ok(None);
    }
    let is_missing = app
        .db()
        .read(async |tx| store::first_admin::is_missing(tx).await)
        .await?;
    Ok(is_missing.then(|| first_admin::token(app, signed_in)))
}

async fn desk<'a>(app: &'a App, signed_in: &SignedIn) -> Result<AdminSection<'a>, Error> {
    let mut overview = app.host().overview().await;
    overview.denials.truncate(DENIALS);
    let events = audit::recent(app.db(), EVENTS).await?;
    let users = app.db().read(async |tx| user::list(tx, USERS).await).await?;
    let rows = users.into_iter().map(|user| UserRow {
        is_self: user.id == signed_in.session.user.id,
        token: users::token(app, signed_in, &user),
        user,
    });
    Ok(AdminSection {
        overview,
        events,
        users: rows.collect(),
        rules: &app.config().rules,
    })
}

#[cfg(test)]
pub(super) mod samples {
    use genkan_web::samples::{LONG, Samples, sample};

    use super::*;
    use crate::web::plugin::{DeniedEgress, InstalledPlugin};
    use crate::web::samples::{at, user};
    use crate::web::store::audit::Kind;

    pub(crate) fn all() -> Samples {
        let mut samples = of_members();
        samples.extend(of_admins());
        samples
    }

    /// The page of people who are not admins.
    fn of_members() -> Samples {
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
            sample("dashboard-first-admin", Page::new(&first)),
            sample("dashboard-member", Page::new(&plain)),
        ]
    }

    fn of_admins() -> Samples {
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
            desk: Some(AdminSection {
                overview: overview(),
                events: vec![failure, changed],
                users: vec![row(&ada, true), row(&member, false), row(&disabled, false)],
                rules: &rules,
            }),
        };
        let empty = Dashboard {
            notice: Some(Notice::Enabled),
            desk: Some(AdminSection {
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
            sample("dashboard-admin", Page::new(&admin)),
            sample("dashboard-empty", Page::new(&empty)),
        ]
    }

    fn overview() -> Overview {
        Overview {
            plugins: vec![
                InstalledPlugin {
                    name: "@open-neko/plugin-scalekit".to_owned(),
                    version: "0.2.1".to_owned(),
                    engine: "WebAssembly".to_owned(),
                    signs_in: true,
                    hosts: vec!["*.scalekit.com".to_owned()],
                    grants: vec!["auth.acme.com:8443, private addresses too".to_owned()],
                },
                InstalledPlugin {
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

    #[test]
    fn what_came_from_outside_is_escaped() {
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
        let html = dashboard.render().unwrap();
        for bad in ["<script", "<img", "<b>", "<i>"] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
    }
}
