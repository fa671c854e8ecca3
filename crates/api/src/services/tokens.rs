//! API tokens.

use genkan_contract::scalekit::v1::tokens::api_token_service_server::{ApiTokenService, SERVICE_NAME};
use genkan_contract::scalekit::v1::tokens::{
    CreateTokenRequest, CreateTokenResponse, InvalidateTokenRequest, ListTokensRequest, ListTokensResponse,
    Token, UpdateTokenRequest, UpdateTokenResponse, ValidateTokenRequest, ValidateTokenResponse,
};
use genkan_db::Tx;
use genkan_protocol::Timestamp;
use genkan_store::api_token::{self, ApiToken, Filter, Key, LiveToken, USE_IS_NOTED_EVERY};
use genkan_store::{ApiTokenId, OrganizationId, UserId, membership, organization};
use tonic::{Request, Response};

use crate::paging::{self, Sizes};
use crate::render::time;
use crate::{Answer, Api, Error, id};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[(
    "FetchToken",
    "a token is shown once, when it is made: Genkan keeps no more than its hash",
)];

const NOT_FOUND: &str = "token";

const SIZES: Sizes = Sizes { default: 10, max: 30 };

#[tonic::async_trait]
impl ApiTokenService for Api {
    async fn create_token(&self, request: Request<CreateTokenRequest>) -> Answer<CreateTokenResponse> {
        let (call, message) = self.accept(request);
        let wanted = message.token.ok_or_else(|| Error::required("token"))?;
        let value = self.generate_secret("api_");
        let (at, hash) = (call.at(), value.sha256());
        let expires_at = wanted
            .expiry
            .map(|expiry| expires_at("token.expiry", &expiry, call.now))
            .transpose()?;
        let organization_id: OrganizationId = id("organization", &wanted.organization_id)?;
        let user_id: Option<UserId> = match wanted.user_id.as_str() {
            "" => None,
            text => Some(id("user", text)?),
        };
        let token = ApiToken {
            id: at.id(),
            suffix: value.suffix().to_owned(),
            organization_id,
            user_id,
            custom_claims: wanted.custom_claims,
            description: Some(wanted.description).filter(|text| !text.is_empty()),
            created_at: at.now,
            updated_at: at.now,
            expires_at,
            last_used_at: None,
        };
        let made = self
            .tx(async |tx| {
                check_owner(tx, &token, call.now).await?;
                api_token::insert(tx, at, &token, &hash).await?;
                find(tx, &Key::Id(token.id.clone()), call.now).await
            })
            .await?;
        Ok(Response::new(CreateTokenResponse {
            token: value.expose().to_owned(),
            token_id: token.id.to_string(),
            token_info: Some(render(made)),
        }))
    }

    async fn validate_token(&self, request: Request<ValidateTokenRequest>) -> Answer<ValidateTokenResponse> {
        let (call, message) = self.accept(request);
        let key = key(&message.token)?;
        // Applications let callers in by this answer. Identifiers are not secret, and
        // from one of them others can be computed (docs/decisions/identifiers.md).
        if matches!(key, Key::Id(_)) && !self.host().validates_tokens_by_identifier() {
            return Err(Error::identifier_is_no_token("api.validate_tokens_by_identifier").into());
        }
        let found = self.read(async |tx| find(tx, &key, call.now).await).await?;
        let token = &found.token;
        let noted = token
            .last_used_at
            .is_some_and(|used| call.now < used + USE_IS_NOTED_EVERY);
        if !noted {
            self.tx(async |tx| Ok(api_token::note_use(tx, &token.id, call.now).await?))
                .await?;
        }
        Ok(Response::new(ValidateTokenResponse {
            token_info: Some(render(found)),
        }))
    }

    async fn invalidate_token(&self, request: Request<InvalidateTokenRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let key = key(&message.token)?;
        // The answer is the same if there was no such token.
        self.tx(async |tx| Ok(api_token::revoke(tx, call.at(), &key).await?))
            .await?;
        Ok(Response::new(()))
    }

    async fn list_tokens(&self, request: Request<ListTokensRequest>) -> Answer<ListTokensResponse> {
        let (call, message) = self.accept(request);
        let size = u32::try_from(message.page_size).unwrap_or_default();
        let page = paging::request::<ApiTokenId>(size, &message.page_token, SIZES)?;
        let user_id = message.user_id.filter(|text| !text.is_empty());
        let filter = Filter {
            organization_id: id("organization", &message.organization_id)?,
            user_id: user_id.map(|text| id("user", &text)).transpose()?,
        };
        let tokens = self
            .read(async |tx| {
                organization::find(tx, &filter.organization_id)
                    .await?
                    .ok_or_else(|| Error::not_found("organization"))?;
                Ok(api_token::list(tx, &filter, call.now, &page).await?)
            })
            .await?;
        let total = self
            .total(&format!("tokens {filter:?}"), async |tx, limit| {
                Ok(api_token::count(tx, &filter, call.now, limit).await?)
            })
            .await?;
        let paged = paging::answer(&page, tokens, |found| &found.token.id);
        Ok(Response::new(ListTokensResponse {
            tokens: paged.rows.into_iter().map(render).collect(),
            total_count: i32::try_from(total).unwrap_or(i32::MAX),
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
        }))
    }

    async fn update_token(&self, request: Request<UpdateTokenRequest>) -> Answer<UpdateTokenResponse> {
        let (call, message) = self.accept(request);
        let key = key(&message.token)?;
        let updated = self
            .tx(async |tx| {
                let mut token = find(tx, &key, call.now).await?.token;
                if !message.custom_claims.is_empty() {
                    token.custom_claims.clone_from(&message.custom_claims);
                }
                if let Some(description) = &message.description {
                    token.description = Some(description.clone()).filter(|text| !text.is_empty());
                }
                api_token::update(tx, call.at(), &token).await?;
                find(tx, &key, call.now).await
            })
            .await?;
        Ok(Response::new(UpdateTokenResponse {
            token_info: Some(render(updated)),
        }))
    }
}

/// A presented token, or its identifier.
fn key(text: &str) -> Result<Key, Error> {
    if text.is_empty() {
        Err(Error::required("token"))
    } else {
        Ok(Key::parse(text))
    }
}

/// The token, if it counts. The answer is the same if it was never made, has expired, or
/// was revoked.
async fn find(tx: &mut Tx<'_>, key: &Key, now: Timestamp) -> Result<LiveToken, Error> {
    api_token::find_live(tx, key, now)
        .await?
        .ok_or_else(|| Error::not_found(NOT_FOUND))
}

/// Checks which of them is missing, because the store's refusal does not say it.
async fn check_owner(tx: &mut Tx<'_>, token: &ApiToken, now: Timestamp) -> Result<(), Error> {
    organization::find(tx, &token.organization_id)
        .await?
        .ok_or_else(|| Error::not_found("organization"))?;
    let Some(user_id) = &token.user_id else {
        return Ok(());
    };
    let member = membership::find(tx, &token.organization_id, user_id)
        .await?
        .ok_or_else(|| Error::not_found("user"))?;
    match member.status_at(now) {
        membership::Status::Active => Ok(()),
        status => Err(Error::precondition(format!(
            "the user's membership is {status}: only an active member has tokens"
        ))),
    }
}

/// A moment in the future.
fn expires_at(field: &str, expiry: &prost_types::Timestamp, now: Timestamp) -> Result<Timestamp, Error> {
    /// The last moment of the year 9999: no later one can be written (RFC 3339).
    const LAST: i64 = 253_402_300_799;
    let secs =
        Some(expiry.seconds).filter(|secs| *secs <= LAST && (0..1_000_000_000).contains(&expiry.nanos));
    secs.map(|secs| Timestamp::from_micros(secs.saturating_mul(1_000_000) + i64::from(expiry.nanos / 1_000)))
        .filter(|expiry| *expiry > now)
        .ok_or_else(|| Error::invalid(field, "is a moment in the future"))
}

fn render(found: LiveToken) -> Token {
    let token = found.token;
    Token {
        token_id: token.id.to_string(),
        organization_id: token.organization_id.to_string(),
        organization_external_id: found.organization_external_id.unwrap_or_default(),
        user_id: token.user_id.map(String::from),
        user_external_id: found.user_external_id,
        custom_claims: token.custom_claims,
        expiry: token.expires_at.map(time),
        created_at: Some(time(token.created_at)),
        description: token.description,
        token_suffix: token.suffix,
        email: found.email,
        roles: found.roles,
    }
}
