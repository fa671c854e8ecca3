//! A sign-in through the company's provider, by a browser that follows its redirects.

use std::time::{Duration, Instant};

use genkan_protocol::oauth::CodeVerifier;
use genkan_store::Secret;
use url::Url;

use super::client::{Answer, Client, Does, Outcome, Wrong, send};
use super::site::{Application, Parties};

/// A code lives for a minute. A machine that is busy may take longer.
const SURELY_ALIVE: Duration = Duration::from_secs(40);

/// Signs somebody in, and returns the refresh token; `None` if something that was away was in the way.
///
/// # Errors
///
/// [`Wrong`] if it ends as it never may.
pub(super) async fn sign_in(
    client: &Client,
    parties: &Parties,
    person: &str,
) -> Result<Option<String>, Wrong> {
    let (application, provider) = (&parties.application, &parties.provider);
    let random = || Secret::generate().expose().to_owned();
    let verifier = random();
    let challenge = CodeVerifier::parse(&verifier).unwrap().challenge();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &application.id)
        .append_pair("redirect_uri", &application.redirect_uri)
        .append_pair("scope", "openid email offline_access")
        .append_pair("state", &random())
        .append_pair("nonce", &random())
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256")
        .append_pair("domain", "acme.test")
        .finish();
    let authorize = client.get(&format!("{}/oauth/authorize?{query}", client.url));
    let Outcome::Answered(away) = send(authorize, Does::Write).await? else {
        return Ok(None);
    };
    let Some((_, request)) = away
        .location
        .split_once('?')
        .filter(|_| away.location.starts_with(provider.issuer()))
    else {
        return Err(unexpected("to the provider", &away));
    };
    let form = [
        ("request", request),
        ("email", person),
        ("given_name", "Ada"),
        ("family_name", "Lovelace"),
        ("email_verified", "true"),
    ];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let back = client.get(&provider.answer_to(&form).await);
    let Outcome::Answered(back) = send(back.header("cookie", &away.cookies), Does::Write).await? else {
        return Ok(None);
    };
    let arrived = Url::parse(&back.location).ok();
    let code = arrived.and_then(|url| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(name, value)| (name == "code").then(|| value.into_owned()))
    });
    match code {
        Some(code) if back.location.starts_with(&application.redirect_uri) => {
            redeem(client, application, &code, &verifier).await
        }
        _ => Err(unexpected("back to the application", &back)),
    }
}

/// A code that was answered counts, however often it was refused for now.
async fn redeem(
    client: &Client,
    application: &Application,
    code: &str,
    verifier: &str,
) -> Result<Option<String>, Wrong> {
    let since = Instant::now();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &application.redirect_uri),
        ("code_verifier", verifier),
    ];
    loop {
        match client.token(application, Does::Write, &form).await? {
            Outcome::Answered(answer) if answer.status == 200 => {
                return Ok(Some(answer.text("refresh_token")));
            }
            Outcome::Answered(_) if since.elapsed() > SURELY_ALIVE => return Ok(None),
            Outcome::Answered(answer) => return Err(unexpected("tokens for a code", &answer)),
            Outcome::Refused => tokio::time::sleep(Duration::from_millis(200)).await,
            Outcome::Unknown | Outcome::Cut => return Ok(None),
        }
    }
}

fn unexpected(expected: &str, answer: &Answer) -> Wrong {
    format!("not {expected}: {answer:?}")
}
