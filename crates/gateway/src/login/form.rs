//! The form of a step. It is bound to the browser of its login. If it is refused, a link leads back to that
//! login.

use genkan_store::{InteractionId, Secret};
use genkan_web::form::{FormBinding, FormError, OwnForm};
use http::request::Parts;

use super::path;
use crate::app::App;
use crate::cookies::Cookie;
use crate::web::error::PageError;

/// A form that a page of a login has sent.
pub type StepForm = OwnForm<LoginBinding>;

/// The secret of the browser that started the login.
#[derive(Debug)]
pub struct LoginBinding(Secret);

impl FormBinding<App> for LoginBinding {
    type Refusal = PageError;

    fn read(head: &Parts, app: &App) -> Result<Self, PageError> {
        let browser = app.cookies().read(&head.headers, Cookie::Browser);
        browser.map(Self).ok_or_else(PageError::interaction_gone)
    }

    fn browser(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }

    /// `/login/{interaction}`, and the pages below it.
    fn refuse(head: &Parts, refused: FormError) -> PageError {
        let id = head.uri.path().split('/').nth(2);
        match id.and_then(|id| InteractionId::parse(id).ok()) {
            Some(id) => PageError::from(refused).try_again(&path(&id)),
            None => PageError::interaction_gone(),
        }
    }
}
