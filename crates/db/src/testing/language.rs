//! A database that sorts text by the rules of a language, and a user that owns one schema and nothing else.

use super::{Remains, Scratch, administer, name, test_server, with_database, with_parameter};
use crate::Engine;

impl Scratch {
    /// An empty schema of such a user, in a database that sorts by the rules of English. `None` as in
    /// [`Scratch::postgres`].
    ///
    /// # Panics
    ///
    /// If a server is required and missing, or does not work.
    pub async fn postgres_in_english() -> Option<Self> {
        let server = test_server()?;
        let name = name();
        let create = format!(
            "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LC_COLLATE 'C' LC_CTYPE 'C'"
        );
        administer(&server, &create).await;
        administer(&server, &format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'")).await;
        let here = with_database(&server, &name);
        let only_its_schema = format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC;
             REVOKE CREATE, TEMPORARY ON DATABASE {name} FROM PUBLIC;
             CREATE SCHEMA own AUTHORIZATION {name}"
        );
        administer(&here, &only_its_schema).await;
        let parameters = format!("schema=own&application_name={name}");
        Some(Self {
            url: with_parameter(&with_user(&here, &name), &parameters),
            engine: Engine::Postgres,
            remains: Remains::DatabaseOfRole { server, name },
        })
    }
}

/// The same URL for a user whose password is their name.
fn with_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{user}:{user}@{place}")
}
