-- Sign-ins that somebody else began: the person is asked before one counts.

-- Another site began it. Nobody knows of those that are under way during the upgrade.
ALTER TABLE interactions ADD COLUMN is_foreign BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE interactions ADD COLUMN arrival TEXT;          -- JSON: whom a provider proved, until the person goes on

-- Where a browser may be sent without a question.
CREATE TABLE familiar_connections (
  browser_hash BYTEA NOT NULL,                 -- the browser cookie
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  reason TEXT NOT NULL,                        -- signed_in | agreed (counts once)
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (browser_hash, connection_id, reason)
);
CREATE INDEX familiar_connections_expiry ON familiar_connections (expires_at);
CREATE INDEX familiar_connections_connection ON familiar_connections (connection_id);
