-- The web app: people, their sessions, sign-ins under way, and the record of all of it.
-- Times are microseconds since 1970.

-- One row: the deployment itself.
CREATE TABLE organization (
  id TEXT PRIMARY KEY,                         -- a UUID
  name TEXT NOT NULL,
  is_only BOOLEAN NOT NULL UNIQUE,             -- TRUE: two starts at once make one row
  created_at BIGINT NOT NULL
);

CREATE TABLE app_user (
  id TEXT PRIMARY KEY,                         -- usr_…
  provider TEXT,                               -- the plugin that vouches for sub
  sub TEXT,
  email TEXT NOT NULL,                         -- as the provider writes it
  email_key TEXT NOT NULL,                     -- ASCII letters in lower case
  name TEXT,
  org_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
  role TEXT NOT NULL,                          -- admin | member
  provider_org_id TEXT,                        -- the organization that the provider named
  group_names TEXT NOT NULL,                   -- JSON array of strings
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_login_at BIGINT,
  disabled_at BIGINT
);
CREATE UNIQUE INDEX app_user_email ON app_user (email_key);
CREATE UNIQUE INDEX app_user_subject ON app_user (provider, sub);
CREATE INDEX app_user_org_idx ON app_user (org_id);

-- A signed-in browser. A row outlives its end, so that its cookie is never valid again.
CREATE TABLE web_session (
  cookie_hash BYTEA PRIMARY KEY,               -- SHA-256 of the cookie's value
  user_id TEXT NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  last_active_at BIGINT NOT NULL,
  idle_expires_at BIGINT NOT NULL,             -- never after expires_at
  expires_at BIGINT NOT NULL,                  -- whole seconds, as in the cookie
  ended_at BIGINT,
  ip TEXT,
  user_agent TEXT
);
-- The cookie holds user and expiry and nothing else, so two sessions must differ in one of them.
CREATE UNIQUE INDEX web_session_cookie ON web_session (user_id, expires_at);
CREATE INDEX web_session_expiry ON web_session (expires_at);

-- A sign-in under way. Whoever deletes the row goes on; nobody else can.
CREATE TABLE sign_in_flow (
  state_hash BYTEA PRIMARY KEY,
  provider TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  return_path TEXT NOT NULL,
  code_verifier TEXT NOT NULL,                 -- PKCE, for a plugin that uses it
  nonce TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sign_in_flow_expiry ON sign_in_flow (expires_at);

-- Every sign-in, failure, sign-out and change of a user.
CREATE TABLE audit_event (
  id TEXT PRIMARY KEY,                         -- sorts by time
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,                          -- sign_in | sign_in_failed | sign_out | user_…
  code TEXT,                                   -- why, for a failure
  reference TEXT NOT NULL,                     -- what the person saw and the log has
  user_id TEXT,
  email TEXT,
  actor TEXT,                                  -- who changed a user: a user's id, or "cli"
  provider TEXT,
  detail TEXT,
  ip TEXT,
  user_agent TEXT
);
CREATE INDEX audit_event_at ON audit_event (at);

-- One row once a sign-in plugin was seen at work: without the plugin nothing opens any more.
CREATE TABLE sign_in_gate (
  id BIGINT PRIMARY KEY,                       -- 1
  provider TEXT NOT NULL,
  closed_at BIGINT NOT NULL
);
