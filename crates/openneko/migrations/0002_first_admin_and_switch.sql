-- Who becomes the first admin, and what waits for a person's word before it ends a session.

-- Every start of a server without an admin prints a word. Whoever deletes the row has used it.
CREATE TABLE first_admin_word (
  word_hash BYTEA PRIMARY KEY,                 -- SHA-256 of the word
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX first_admin_word_expiry ON first_admin_word (expires_at);

-- A finished sign-in of somebody else than whose session the browser has. Whoever deletes the row goes on.
CREATE TABLE sign_in_switch (
  token_hash BYTEA PRIMARY KEY,                -- SHA-256 of a cookie
  session_hash BYTEA NOT NULL,                 -- the session that would end
  user_id TEXT NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  return_path TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sign_in_switch_expiry ON sign_in_switch (expires_at);
