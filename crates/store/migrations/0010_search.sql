-- The words by which organizations and users are found. Bytes (UTF-8, folded): text would be
-- sorted by the rules of a language on PostgreSQL, and words are read as ranges.

CREATE TABLE organization_words (
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  word BYTEA NOT NULL,
  PRIMARY KEY (organization_id, word)
);
CREATE INDEX organization_words_word ON organization_words (word, organization_id);

CREATE TABLE user_words (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  word BYTEA NOT NULL,
  PRIMARY KEY (user_id, word)
);
CREATE INDEX user_words_word ON user_words (word, user_id);

-- Whose words are still to be written, by a job of the server: at first everybody who was here before.
CREATE TABLE search_backlog (
  id TEXT PRIMARY KEY                          -- org_… usr_…
);
INSERT INTO search_backlog (id) SELECT id FROM organizations;
INSERT INTO search_backlog (id) SELECT id FROM users;
