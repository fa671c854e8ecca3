-- Mail, codes and links by mail, passkeys, and the log of sign-ins.

-- Mail to deliver, kept until it is delivered, given up or no longer wanted.
CREATE TABLE mails (
  id TEXT PRIMARY KEY,                         -- mail_…
  kind TEXT NOT NULL,                          -- sign_in | sign_up | invitation | test
  content_sealed BYTEA NOT NULL,               -- JSON: to, subject, text, html; may hold a code
  attempts BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,                  -- what it says does not hold any more
  created_at BIGINT NOT NULL
);
CREATE INDEX mails_due ON mails (next_attempt_at, id);
CREATE INDEX mails_expiry ON mails (expires_at, id);

-- A proof of an address that an application asked for: a code, and perhaps a link.
CREATE TABLE passwordless_requests (
  request_hash BYTEA PRIMARY KEY,              -- the auth_request_id
  client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  email TEXT NOT NULL,                         -- lower case
  kind TEXT NOT NULL,                          -- OTP | LINK | LINK_OTP
  template TEXT,                               -- SIGNIN | SIGNUP
  state TEXT,
  magiclink_auth_uri TEXT,
  code_mac BYTEA NOT NULL,                     -- HMAC under the instance key: six digits are soon guessed
  link_token_hash BYTEA NOT NULL UNIQUE,
  lifetime_secs BIGINT NOT NULL,
  sends BIGINT NOT NULL,
  last_sent_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  tries_since BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX passwordless_requests_email ON passwordless_requests (email, last_sent_at);
CREATE INDEX passwordless_requests_client ON passwordless_requests (client_id, last_sent_at);
CREATE INDEX passwordless_requests_expiry ON passwordless_requests (expires_at);

-- A passkey.
CREATE TABLE webauthn_credentials (
  id TEXT PRIMARY KEY,                         -- cred_…
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  credential_id BYTEA NOT NULL UNIQUE,         -- as the authenticator calls it
  public_key BYTEA NOT NULL,                   -- COSE
  sign_count BIGINT NOT NULL,
  attestation_type TEXT NOT NULL,              -- none | packed
  aaguid TEXT NOT NULL,                        -- the model of the authenticator, a UUID
  attachment TEXT NOT NULL,                    -- platform | cross-platform | empty
  transports TEXT NOT NULL,                    -- JSON array
  user_present BOOLEAN NOT NULL,
  user_verified BOOLEAN NOT NULL,
  backup_eligible BOOLEAN NOT NULL,
  backup_state BOOLEAN NOT NULL,
  display_name TEXT,
  user_agent TEXT,
  ip TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX webauthn_credentials_user ON webauthn_credentials (user_id, id);

-- Every sign-in that began, and what became of it. Outlives what it names.
CREATE TABLE auth_logs (
  id TEXT PRIMARY KEY,                         -- lri_…, the interaction
  status TEXT NOT NULL,                        -- INITIATED | PENDING | SUCCESS | FAILURE
  client_id TEXT NOT NULL,
  organization_id TEXT,
  connection_id TEXT,
  connection_kind TEXT,                        -- as it was
  connection_provider TEXT,
  user_id TEXT,
  email TEXT,                                  -- what was typed, then what the provider said
  trace_id TEXT,                               -- err_…: why it failed
  created_at BIGINT NOT NULL
);
CREATE INDEX auth_logs_created ON auth_logs (created_at, id);
CREATE INDEX auth_logs_email ON auth_logs (email, id);
CREATE INDEX auth_logs_client ON auth_logs (client_id, id);
CREATE INDEX auth_logs_organization ON auth_logs (organization_id, id);
