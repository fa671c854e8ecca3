//! `GET /login/{interaction}`: the dispatcher. Every step ends here.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_protocol::oauth::ErrorCode;
use genkan_store::Error;
use genkan_store::interaction::{Interaction, Request, Stage, Way};
use genkan_store::session::Session;
use genkan_store::user::User;
use http::HeaderMap;

use super::next_step::{Progress, Step, Wanted, next_step};
use super::route::Target;
use super::{
    confirm_switch, identify, interaction_of_browser, refusal, route, select_account, signed_in,
    test_connection, way_on,
};
use crate::answer::{self, Answer, Place};
use crate::app::App;
use crate::cache::CachedClient;
use crate::connections::{self, Hints};
use crate::web::error::PageError;

/// Reads how far the login has come, and does the next step.
pub async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (interaction, browser) = interaction_of_browser(&app, &headers, &id).await?;
    match &interaction.request {
        Request::Authorize(request) => {
            let login = Login {
                app: &app,
                interaction: &interaction,
                request,
            };
            login.resume(&headers, &browser).await
        }
        Request::TestConnection {
            connection_id,
            test_id,
        } => test_connection::resume(&app, &interaction, connection_id, test_id).await,
    }
}

/// A login in progress, with what its steps need.
#[derive(Clone, Copy)]
struct Login<'a> {
    app: &'a App,
    interaction: &'a Interaction,
    request: &'a AuthorizationRequest,
}

impl Login<'_> {
    async fn resume(
        self,
        headers: &HeaderMap,
        browser: &genkan_store::Secret,
    ) -> Result<Response, PageError> {
        let Self {
            app,
            interaction,
            request,
        } = self;
        if interaction.stage == Stage::Completed {
            return Err(way_on::gone(app, interaction).await);
        }
        let cached = answer::application_of(app, request).await?;
        let current = signed_in(app, headers).await?;
        let target = match route::find_target(app, request, current.as_ref()).await? {
            Ok(target) => target,
            // It was there when the login began, and has been removed or disabled since.
            Err(refusal) => {
                let answer = Answer::to(app, request);
                return Ok(answer.error_named(
                    refusal.code(),
                    refusal.description(),
                    request.state.as_deref(),
                ));
            }
        };
        let hinted_user = super::hinted_user(app, request).await?;
        if request.id_token_hint.is_some() && hinted_user.is_none() {
            return Ok(self.login_required("the key of the id_token_hint is no longer published"));
        }
        let progress = Progress::of(
            request,
            &interaction.stage,
            Wanted {
                target: target.as_ref(),
                user_id: hinted_user.as_deref(),
            },
            current.as_ref(),
            app.now(),
        );
        match next_step(progress) {
            Step::Identify => {
                let email = request.login_hint.as_deref().unwrap_or_default();
                let asked = identify::Asked { email, error: None };
                Ok(identify::render(app, &cached.client, interaction, browser, asked))
            }
            Step::SelectAccount => {
                let Some(current) = current else {
                    return Err(way_on::gone(app, interaction).await);
                };
                Ok(select_account::render(
                    app,
                    &cached.client,
                    interaction,
                    browser,
                    &current,
                ))
            }
            Step::Authenticate => self.authenticate(target).await,
            Step::ConfirmSwitch => {
                let hinted = hinted_user.as_deref();
                // Whoever may not be the answer is not switched to either.
                if confirm_switch::is_another(app, interaction, hinted).await? {
                    return Ok(self.login_required("somebody else signed in than the id_token_hint names"));
                }
                confirm_switch::render(app, &cached.client, interaction, browser, current.as_ref()).await
            }
            Step::Complete => {
                self.complete(&cached, current, target.as_ref(), hinted_user)
                    .await
            }
            Step::LoginRequired => {
                Ok(self.login_required("no session in this browser satisfies the request"))
            }
        }
    }

    /// Issues the code, if everything is as it was when the person signed in.
    async fn complete(
        self,
        cached: &Arc<CachedClient>,
        current: Option<(Session, User)>,
        target: Option<&Target>,
        hinted_user: Option<String>,
    ) -> Result<Response, PageError> {
        let Self {
            app,
            interaction,
            request,
        } = self;
        let Some(session) = self.session(current) else {
            return Err(way_on::gone(app, interaction).await);
        };
        // OIDC Core §3.1.2.1: the End-User of the id_token_hint, or nobody.
        if hinted_user.is_some_and(|id| id != session.user_id.as_str()) {
            return Ok(self.login_required("somebody else signed in than the id_token_hint names"));
        }
        // Another tab may have taken the session elsewhere meanwhile. A hint
        // of a person names no place: they may have chosen another one.
        let names_place = request.connection_id.is_some()
            || request.organization_id.is_some()
            || request.domain_hint.is_some();
        if names_place && !target.is_none_or(|target| target.is_where(&session)) {
            return Err(way_on::gone(app, interaction).await);
        }
        let place = Place::of(&session, target.and_then(Target::entered));
        let from = Some((&interaction.id, &interaction.stage));
        match answer::respond(app, cached, request, place, from).await {
            // The other click of a double one, or another tab, was first.
            Err(Error::Stale) => Err(way_on::gone(app, interaction).await),
            answer => Ok(answer?),
        }
    }

    fn login_required(self, description: &str) -> Response {
        let answer = Answer::to(self.app, self.request);
        answer.error(
            ErrorCode::LoginRequired,
            description,
            self.request.state.as_deref(),
        )
    }

    /// Sends the browser to the identity provider: the chosen one, else the target's.
    async fn authenticate(self, target: Option<Target>) -> Result<Response, PageError> {
        let (chosen, typed) = match self.interaction.stage.way() {
            Some(Way::Connection { connection_id, email }) => (Some(connection_id.clone()), email.clone()),
            // Nothing leads there yet, and nowhere else instead.
            Some(Way::Mail { .. } | Way::Passkey) => return Err(PageError::interaction_gone()),
            None => (None, None),
        };
        let connection_id = chosen
            .or_else(|| target.map(|target| target.connection().id.clone()))
            .ok_or_else(PageError::interaction_gone)?;
        let hints = Hints {
            login_hint: typed.or_else(|| self.request.login_hint.clone()),
            // Whoever must sign in again here must do so there too, or the
            // provider's own session would answer in silence.
            force: self.request.prompt.login,
            select_account: self.request.prompt.select_account
                || matches!(self.interaction.stage, Stage::Identifying),
            max_age: self.request.max_age,
        };
        match connections::start(self.app, self.interaction, &connection_id, &hints).await? {
            Ok(response) => Ok(response),
            Err(failure) => refusal::refuse(self.app, self.interaction, failure).await,
        }
    }

    /// The session that the login ends with.
    fn session(self, current: Option<(Session, User)>) -> Option<Session> {
        let session = current.map(|(session, _)| session);
        match &self.interaction.stage {
            // The session that this very login made, in the browser that has it:
            // whoever knows the other cookie alone gets no code.
            Stage::Authenticated { session_id } => session.filter(|session| session.id == *session_id),
            Stage::Arrived { .. } | Stage::Completed => None,
            Stage::Started | Stage::Identifying | Stage::At(_) => session,
        }
    }
}
