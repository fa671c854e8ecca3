//! The one place that decides a login's next step.

use genkan_protocol::Timestamp;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_store::interaction::Stage;
use genkan_store::session::Session;
use genkan_store::user::User;

use super::route::Target;

/// What the browser must do next to finish a login. Nothing else decides this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask who the user is, to find their organization's connection.
    Identify,
    /// Ask which account to go on with.
    SelectAccount,
    /// Send the user to the connection's identity provider.
    Authenticate,
    /// Ask whether the sign-in that somebody else may have begun is meant.
    ConfirmSwitch,
    /// Issue the authorization code and return to the client.
    Complete,
    /// Something must be asked, but the client forbade it (`prompt=none`).
    LoginRequired,
}

/// The facts [`next_step`] decides from.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub authentication: Authentication,
    /// The browser's session satisfies the request: organization, connection, age, person.
    pub session_fits: bool,
    /// The request leads to a connection without asking.
    pub has_target: bool,
    pub prompt_none: bool,
    pub prompt_login: bool,
    pub prompt_select_account: bool,
}

/// How far the authentication of this interaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    Pending,
    /// The person put the session aside and wants to sign in as somebody else.
    Identifying,
    /// It is known how they sign in.
    WayChosen,
    /// Somebody came back from the provider, and the person has not gone on.
    Arrived,
    Done,
}

/// What stands when somebody comes back from an identity provider.
#[derive(Debug, Clone, Copy)]
pub struct Arriving {
    /// The person said in a form of ours where they sign in.
    pub began_by_form: bool,
    pub present: Present,
    /// Another site began it and chose the place.
    pub is_foreign: bool,
    /// This browser has signed in at this connection before.
    pub is_remembered: bool,
}

/// Who is signed in at the browser, beside who arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    Nobody,
    /// The same person in the same organization.
    SamePlace,
    /// The same person in another organization.
    Elsewhere,
    SomebodyElse,
}

/// Whether the person is asked before a sign-in counts. A link can begin one in
/// their browser that ends as whoever made the link (RFC 9700 §4.7.1: login CSRF).
pub const fn must_ask(arriving: Arriving) -> bool {
    match arriving.present {
        _ if arriving.began_by_form => false,
        // Whatever was agreed to before: the page names both people.
        Present::SomebodyElse => true,
        Present::SamePlace => false,
        Present::Nobody | Present::Elsewhere => arriving.is_foreign && !arriving.is_remembered,
    }
}

/// Picks the next step, in the one order we allow.
pub const fn next_step(progress: Progress) -> Step {
    match progress.authentication {
        Authentication::Done => Step::Complete,
        // Nobody is switched in silence.
        Authentication::Arrived if progress.prompt_none => Step::LoginRequired,
        Authentication::Arrived => Step::ConfirmSwitch,
        Authentication::WayChosen => Step::Authenticate,
        Authentication::Identifying => Step::Identify,
        Authentication::Pending => {
            if progress.session_fits && !progress.prompt_login {
                // With a place named, `select_account` switches to it without asking.
                if progress.prompt_select_account && !progress.has_target {
                    Step::SelectAccount
                } else {
                    Step::Complete
                }
            } else if progress.prompt_none {
                Step::LoginRequired
            } else if progress.has_target {
                Step::Authenticate
            } else {
                Step::Identify
            }
        }
    }
}

impl Progress {
    /// Gathers the facts. Pure: everything it looks at is an argument.
    pub fn of(
        request: &AuthorizationRequest,
        stage: &Stage,
        wanted: Wanted<'_>,
        signed_in: Option<&(Session, User)>,
        now: Timestamp,
    ) -> Self {
        let authentication = match stage {
            Stage::Started => Authentication::Pending,
            Stage::Identifying => Authentication::Identifying,
            Stage::At(_) => Authentication::WayChosen,
            Stage::Arrived { .. } => Authentication::Arrived,
            Stage::Authenticated { .. } | Stage::Completed => Authentication::Done,
        };
        Self {
            authentication,
            session_fits: signed_in.is_some_and(|signed_in| fits(request, wanted, signed_in, now)),
            has_target: wanted.target.is_some(),
            prompt_none: request.prompt.none,
            prompt_login: request.prompt.login,
            prompt_select_account: request.prompt.select_account,
        }
    }
}

/// What a request wants, looked up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The place it leads to.
    pub target: Option<&'a Target>,
    /// The user whom its `id_token_hint` names.
    pub user_id: Option<&'a str>,
}

/// Whether a session answers this request without asking again.
fn fits(
    request: &AuthorizationRequest,
    wanted: Wanted<'_>,
    (session, user): &(Session, User),
    now: Timestamp,
) -> bool {
    // OIDC Core §3.1.2.1: max_age is the greatest allowed age of the login.
    let young = request
        .max_age
        .is_none_or(|max_age| session.proved_within(max_age, now));
    let person = request.login_hint.as_deref().is_none_or(|hint| {
        // A hint that is no e-mail address says nothing about a person.
        !hint.contains('@') || hint.trim().eq_ignore_ascii_case(user.email.as_str())
    });
    // OIDC Core §3.1.2.1: the End-User of the id_token_hint, or nobody.
    let hinted = wanted.user_id.is_none_or(|id| id == user.id.as_str());
    let place = wanted.target.is_none_or(|target| target.is_where(session));
    young && person && hinted && place
}

#[cfg(test)]
mod tests {
    use super::*;

    const PENDING: Progress = Progress {
        authentication: Authentication::Pending,
        session_fits: false,
        has_target: false,
        prompt_none: false,
        prompt_login: false,
        prompt_select_account: false,
    };

    #[test]
    fn a_stranger_is_asked_or_sent_on() {
        assert_eq!(next_step(PENDING), Step::Identify);
        assert_eq!(
            next_step(Progress {
                has_target: true,
                ..PENDING
            }),
            Step::Authenticate
        );
    }

    #[test]
    fn a_fitting_session_completes_unless_the_client_insists() {
        let session = Progress {
            session_fits: true,
            ..PENDING
        };
        assert_eq!(next_step(session), Step::Complete);
        assert_eq!(
            next_step(Progress {
                prompt_login: true,
                ..session
            }),
            Step::Identify
        );
        let login_at = Progress {
            prompt_login: true,
            has_target: true,
            ..session
        };
        assert_eq!(next_step(login_at), Step::Authenticate);
        assert_eq!(
            next_step(Progress {
                prompt_select_account: true,
                ..session
            }),
            Step::SelectAccount
        );
        let switch = Progress {
            prompt_select_account: true,
            has_target: true,
            ..session
        };
        assert_eq!(next_step(switch), Step::Complete);
    }

    /// OIDC Core §3.1.2.1: with `none`, no page may be shown.
    #[test]
    fn prompt_none_never_asks() {
        for bits in 0..8_u8 {
            let progress = Progress {
                prompt_none: true,
                session_fits: bits & 3 == 3,
                has_target: bits & 4 != 0,
                ..PENDING
            };
            assert!(
                matches!(next_step(progress), Step::Complete | Step::LoginRequired),
                "{progress:?}"
            );
        }
    }

    #[test]
    fn somebody_who_arrives_is_asked_for_and_never_in_silence() {
        let arrived = Progress {
            authentication: Authentication::Arrived,
            ..PENDING
        };
        for session_fits in [false, true] {
            let progress = Progress {
                session_fits,
                ..arrived
            };
            assert_eq!(next_step(progress), Step::ConfirmSwitch);
            let silent = Progress {
                prompt_none: true,
                ..progress
            };
            assert_eq!(next_step(silent), Step::LoginRequired);
        }
    }

    /// The whole table: who is asked.
    #[test]
    fn a_switch_is_asked_for_unless_a_form_of_ours_began_it() {
        use Present::{Elsewhere, Nobody, SamePlace, SomebodyElse};
        for bits in 0..8_u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            let asked = |present| {
                must_ask(Arriving {
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

    /// However far a login has come, a code is issued only after authentication
    /// or on a session that fits.
    #[test]
    fn nothing_completes_without_an_authenticated_person() {
        for bits in 0..16_u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            let progress = Progress {
                has_target: bit(0),
                prompt_none: bit(1),
                prompt_login: bit(2),
                prompt_select_account: bit(3),
                ..PENDING
            };
            assert!(
                !matches!(next_step(progress), Step::Complete | Step::SelectAccount),
                "{progress:?}"
            );
        }
    }
}
