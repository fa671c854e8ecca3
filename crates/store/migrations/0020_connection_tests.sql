-- The one-time word of a link that begins a test, as its hash, until the test has begun; and what was
-- checked, also where every check passed.

ALTER TABLE connection_tests ADD COLUMN word_hash BYTEA;
ALTER TABLE connection_tests ADD COLUMN word_expires_at BIGINT;
ALTER TABLE connection_tests ADD COLUMN trace TEXT;
CREATE UNIQUE INDEX connection_tests_word ON connection_tests (word_hash);
