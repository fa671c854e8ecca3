-- Assertions of SAML providers that have counted. So long as one could count again, it is known here.
CREATE TABLE saml_assertions (
  connection_id TEXT COLLATE "C" NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  assertion_hash BYTEA NOT NULL,               -- SHA-256 of its ID
  state_hash BYTEA,                            -- of the request that it answered; none: the provider began
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (connection_id, assertion_hash)
);
CREATE INDEX saml_assertions_state ON saml_assertions (state_hash) WHERE state_hash IS NOT NULL;
CREATE INDEX saml_assertions_expiry ON saml_assertions (expires_at);

-- The answers that failed, beside their traces, without what could be used once more.
CREATE TABLE login_messages (
  trace_id TEXT COLLATE "C" PRIMARY KEY REFERENCES login_traces (id) ON DELETE CASCADE,
  message TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX login_messages_expiry ON login_messages (expires_at);

-- How often an answer to this request was decrypted. Each one tells a stranger something about our key.
ALTER TABLE upstream_requests ADD COLUMN decryptions BIGINT NOT NULL DEFAULT 0;
