//! Checks the setting that makes identifiers count as API tokens.

use genkan_db::Db;
use genkan_store::api_token;
use genkan_store::environment::Kind;

use super::Findings;
use crate::config::Config;
use crate::failure::chain;

const CHECK: &str = "API tokens";

pub(super) async fn examine(config: &Config, kind: Kind, db: &Db, findings: &mut Findings) {
    match db.read(async |tx| api_token::exist(tx).await).await {
        // There are no tokens to present.
        Ok(false) => {}
        Ok(true) if !config.api.validate_tokens_by_identifier => findings.ok(
            CHECK,
            "ValidateToken takes tokens and not their identifiers (api.validate_tokens_by_identifier is off)",
        ),
        Ok(true) if kind == Kind::Production => findings.warn(
            CHECK,
            "ValidateToken takes the identifier of a token for the token, and identifiers are no secrets",
            "Ask with the tokens themselves, and leave api.validate_tokens_by_identifier out.",
        ),
        Ok(true) => {}
        Err(error) => findings.fail(CHECK, chain(&error), "See the database above."),
    }
}
