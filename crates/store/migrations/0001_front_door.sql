-- What one sign-in needs. PostgreSQL dialect; the db crate translates types for SQLite.
-- Times are microseconds since the Unix epoch, UTC. Hashes are SHA-256. "sealed" is
-- AES-256-GCM under the instance key. JSON is TEXT.

-- One row: this instance is one environment.
CREATE TABLE environment (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,                          -- development | production
  key_check BYTEA NOT NULL,                    -- a known text sealed under the instance key
  generation BIGINT NOT NULL,                  -- grows with every change of configuration: caches compare it
  access_token_lifetime_secs BIGINT NOT NULL,
  client_access_token_lifetime_secs BIGINT NOT NULL,
  session_absolute_secs BIGINT NOT NULL,
  session_idle_secs BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY,                         -- snk_…, the kid
  algorithm TEXT NOT NULL,                     -- RS256 | ES256
  private_key_sealed BYTEA NOT NULL,           -- PKCS#8
  created_at BIGINT NOT NULL,
  signs_from BIGINT NOT NULL,                  -- published before it is used
  signs_until BIGINT,                          -- set by rotation
  published_until BIGINT                       -- set by rotation: leaves the JWKS
);

CREATE TABLE clients (
  id TEXT PRIMARY KEY,                         -- skc_… webc_… spac_… ntvc_…
  name TEXT NOT NULL,
  kind TEXT NOT NULL,                          -- WEB_APP | SPA | NTV
  redirect_uris TEXT NOT NULL,                 -- JSON array
  post_logout_redirect_uris TEXT NOT NULL,     -- JSON array
  back_channel_logout_uris TEXT NOT NULL,      -- JSON array
  initiate_login_uri TEXT,
  any_loopback_redirect BOOLEAN NOT NULL,      -- development: any loopback address and port
  enforce_pkce BOOLEAN NOT NULL,
  secret_optional_with_pkce BOOLEAN NOT NULL,  -- a confidential client may redeem a PKCE code without its secret
  strict_refresh_rotation BOOLEAN NOT NULL,
  profile_in_access_token BOOLEAN NOT NULL,
  management_access BOOLEAN NOT NULL,
  token_algorithm TEXT NOT NULL,               -- RS256 | ES256
  access_token_lifetime_secs BIGINT,           -- NULL: the environment's
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE client_secrets (
  id TEXT PRIMARY KEY,                         -- sks_…
  client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  secret_hash BYTEA NOT NULL,
  suffix TEXT NOT NULL,                        -- the last four characters, to tell secrets apart
  created_at BIGINT NOT NULL,
  expires_at BIGINT
);
CREATE INDEX client_secrets_client ON client_secrets (client_id);

CREATE TABLE organizations (
  id TEXT PRIMARY KEY,                         -- org_…
  display_name TEXT NOT NULL,
  external_id TEXT UNIQUE,
  metadata TEXT NOT NULL,                      -- JSON object
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE domains (
  id TEXT PRIMARY KEY,                         -- dom_…
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  domain TEXT NOT NULL,                        -- lower case, A-labels
  kind TEXT NOT NULL,                          -- ORGANIZATION_DOMAIN | ALLOWED_EMAIL_DOMAIN
  created_at BIGINT NOT NULL,
  UNIQUE (organization_id, domain, kind)
);
-- One organization routes a domain; several may let its people join.
CREATE UNIQUE INDEX domains_routing ON domains (domain) WHERE kind = 'ORGANIZATION_DOMAIN';

CREATE TABLE connections (
  id TEXT PRIMARY KEY,                         -- conn_…
  organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,  -- NULL: of the whole environment
  kind TEXT NOT NULL,                          -- OIDC
  provider TEXT NOT NULL,                      -- OKTA | MICROSOFT_AD | … | CUSTOM | IDP_SIMULATOR
  name TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  jit_provisioning BOOLEAN NOT NULL,
  sync_profile BOOLEAN NOT NULL,
  settings TEXT NOT NULL,                      -- JSON, by kind; holds no secret
  client_secret_sealed BYTEA,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX connections_organization ON connections (organization_id);

CREATE TABLE roles (
  id TEXT PRIMARY KEY,                         -- role_…
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  description TEXT NOT NULL,
  default_creator BOOLEAN NOT NULL,            -- for the first member of an organization
  default_member BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE users (
  id TEXT PRIMARY KEY,                         -- usr_…
  email TEXT NOT NULL UNIQUE,                  -- lower case
  email_verified BOOLEAN NOT NULL,
  name TEXT,
  given_name TEXT,
  family_name TEXT,
  picture TEXT,
  locale TEXT,
  external_id TEXT UNIQUE,
  metadata TEXT NOT NULL,                      -- JSON object
  disabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_login_at BIGINT
);

-- A user as one connection knows them.
CREATE TABLE identities (
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  attributes TEXT NOT NULL,                    -- JSON: the provider's claims at the last login
  created_at BIGINT NOT NULL,
  last_login_at BIGINT NOT NULL,
  PRIMARY KEY (connection_id, subject)
);
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE memberships (
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  groups TEXT NOT NULL,                        -- JSON array: the provider's groups at the last login
  created_at BIGINT NOT NULL,
  PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE membership_roles (
  organization_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  by_provider BOOLEAN NOT NULL,                -- the identity provider sent it and takes it back; people did not give it
  PRIMARY KEY (organization_id, user_id, role_id),
  FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);

-- A login in progress.
CREATE TABLE interactions (
  id TEXT PRIMARY KEY,                         -- lri_…
  browser_hash BYTEA NOT NULL,                 -- the browser cookie that started it
  request TEXT NOT NULL,                       -- JSON: the validated authorization request, or the connection under test
  stage TEXT NOT NULL,                         -- JSON: how far it has come
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX interactions_expiry ON interactions (expires_at, id);

-- A request under way to an identity provider; its state counts once.
CREATE TABLE upstream_requests (
  state_hash BYTEA PRIMARY KEY,
  interaction_id TEXT NOT NULL REFERENCES interactions (id) ON DELETE CASCADE,
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  nonce TEXT NOT NULL,                         -- no secret: it stands in the browser's history
  code_verifier_sealed BYTEA,
  expires_at BIGINT NOT NULL
);
CREATE INDEX upstream_requests_expiry ON upstream_requests (expires_at);
CREATE INDEX upstream_requests_interaction ON upstream_requests (interaction_id);

-- A signed-in browser.
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,                         -- ses_…, the sid
  token_hash BYTEA NOT NULL UNIQUE,            -- the session cookie
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
  connection_id TEXT,                          -- as it was; the connection may be gone
  status TEXT NOT NULL,                        -- active | revoked | logout | expired
  authenticated_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_active_at BIGINT NOT NULL,
  idle_expires_at BIGINT NOT NULL,             -- never after expires_at: alone decides whether it lives
  expires_at BIGINT NOT NULL,                  -- absolute
  ended_at BIGINT,
  ip TEXT,
  user_agent TEXT
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_organization ON sessions (organization_id);
CREATE INDEX sessions_active ON sessions (idle_expires_at) WHERE status = 'active';
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- What a client may do for a user: the family of all tokens of one login at one client.
CREATE TABLE grants (
  id TEXT PRIMARY KEY,                         -- grt_…
  client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
  connection_id TEXT,
  scope TEXT NOT NULL,
  nonce TEXT,
  authenticated_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_expiry ON grants (expires_at, id);

CREATE TABLE authorization_codes (
  code_hash BYTEA PRIMARY KEY,
  grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  redirect_uri_given BOOLEAN NOT NULL,
  code_challenge TEXT,                         -- S256
  expires_at BIGINT NOT NULL,
  redeemed_at BIGINT
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
CREATE INDEX authorization_codes_grant ON authorization_codes (grant_id);

CREATE TABLE refresh_tokens (
  token_hash BYTEA PRIMARY KEY,
  grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
  issued_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  superseded_at BIGINT                         -- a sibling was used instead: no grace for this one
);
-- Finds the unused tokens of a family without reading all that were used.
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id, used_at, superseded_at);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- Access tokens revoked one by one (RFC 7009) until they expire by themselves.
CREATE TABLE revoked_access_tokens (
  jti TEXT PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_access_tokens_expiry ON revoked_access_tokens (expires_at);

-- Logout tokens to deliver (OIDC Back-Channel Logout 1.0), kept until delivered or given up.
CREATE TABLE back_channel_logouts (
  id TEXT PRIMARY KEY,                         -- bcl_…
  client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  uri TEXT NOT NULL,
  session_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX back_channel_logouts_due ON back_channel_logouts (next_attempt_at, id);

-- A login that failed at the identity provider: what was checked, expected and received.
CREATE TABLE login_traces (
  id TEXT PRIMARY KEY,                         -- err_…
  interaction_id TEXT,
  connection_id TEXT,
  organization_id TEXT,
  client_id TEXT,
  cause TEXT NOT NULL,
  remedy TEXT NOT NULL,                        -- what to change, and where
  trace TEXT NOT NULL,                         -- JSON: the checks
  created_at BIGINT NOT NULL
);
CREATE INDEX login_traces_created ON login_traces (created_at);

CREATE TABLE connection_tests (
  id TEXT PRIMARY KEY,                         -- test_…
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  status TEXT NOT NULL,                        -- PENDING | SUCCESS | FAILURE
  user_info TEXT,                              -- JSON
  error TEXT,
  error_description TEXT,
  error_details TEXT,                          -- JSON
  created_at BIGINT NOT NULL
);
CREATE INDEX connection_tests_created ON connection_tests (created_at);

CREATE TABLE events (
  id TEXT PRIMARY KEY,                         -- evt_…
  kind TEXT NOT NULL,
  organization_id TEXT,
  user_id TEXT,
  client_id TEXT,
  session_id TEXT,
  data TEXT NOT NULL,                          -- JSON object
  occurred_at BIGINT NOT NULL
);
CREATE INDEX events_organization ON events (organization_id, occurred_at);
CREATE INDEX events_occurred ON events (occurred_at, id);
