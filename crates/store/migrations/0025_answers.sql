-- What an answer of an identity provider must match is one sealed value, whatever is spoken
-- there. A sign-in that is at a provider while this runs begins again.

DROP TABLE upstream_requests;
CREATE TABLE upstream_requests (
  state_hash BYTEA PRIMARY KEY,
  interaction_id TEXT NOT NULL REFERENCES interactions (id) ON DELETE CASCADE,
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  expected_sealed BYTEA NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX upstream_requests_expiry ON upstream_requests (expires_at);
CREATE INDEX upstream_requests_interaction ON upstream_requests (interaction_id);

-- An answer that another site posted, where the browser's cookies do not come along, until its
-- browser fetches it. One for each request under way: the last that came.
CREATE TABLE parked_answers (
  state_hash BYTEA PRIMARY KEY,
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  handle_hash BYTEA NOT NULL UNIQUE,           -- stands in the address of the browser's next step
  answer_sealed BYTEA NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX parked_answers_expiry ON parked_answers (expires_at);
