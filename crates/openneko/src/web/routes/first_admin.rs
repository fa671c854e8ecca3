//! `POST /first-admin`: a person who enters the word from the server's terminal becomes the
//! first admin.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use genkan_web::form::OwnForm;
use genkan_web::listener::ClientIp;

use super::begin::too_many;
use super::notice::Notice;
use crate::web::app::{App, SignedIn};
use crate::web::store::first_admin::{self, ClaimOutcome};
use crate::web::store::manage::ChangeOrigin;
use crate::web::{random, reply, store};

/// Its path, for which the form token counts.
const PATH: &str = "/first-admin";

/// The token of the form.
pub(super) fn token(app: &App, signed_in: &SignedIn) -> String {
    app.keys().forms().token(&signed_in.cookie_hash, PATH)
}

pub(super) async fn claim(
    State(app): State<App>,
    client: ClientIp,
    headers: HeaderMap,
    form: OwnForm<SignedIn>,
) -> Response {
    // A word cannot be guessed, but each try costs a query.
    if let Err(wait) = app.count(client) {
        return too_many(&headers, wait);
    }
    let user = &form.bound.session.user;
    let (reference, ip) = (random::reference(), client.to_string());
    let by = ChangeOrigin {
        actor: &user.id,
        reference: &reference,
        ip: Some(&ip),
        at: app.now(),
    };
    let word = form.fields.one("word").ok().flatten().unwrap_or_default();
    let claimed = store::write(app.db(), async |tx| {
        first_admin::claim(tx, word, &user.id, by).await
    })
    .await;
    let notice = match claimed {
        Ok(ClaimOutcome::Yes) => Notice::FirstAdmin,
        Ok(ClaimOutcome::WrongWord) => {
            tracing::warn!(reference, user = user.id, %client, "a wrong word for the first admin");
            Notice::WrongWord
        }
        Ok(ClaimOutcome::TooLate) => Notice::AdminExists,
        Err(error) => return reply::unavailable(&headers, &error),
    };
    reply::redirect(StatusCode::SEE_OTHER, &format!("/?notice={}", notice.code()))
}
