-- Connections as the management API shows them: SAML settings live in the same JSON
-- column as those of OIDC; the rest is here.

ALTER TABLE connections ADD COLUMN status TEXT NOT NULL DEFAULT 'COMPLETED';     -- DRAFT | IN_PROGRESS | COMPLETED: follows from the settings, kept to search by
ALTER TABLE connections ADD COLUMN key_id TEXT;                                  -- what the application calls it
ALTER TABLE connections ADD COLUMN ui_button_title TEXT;
ALTER TABLE connections ADD COLUMN context TEXT NOT NULL DEFAULT '{}';           -- JSON object that we keep and never read
ALTER TABLE connections ADD COLUMN assigned_domains_only BOOLEAN NOT NULL DEFAULT FALSE;  -- stays when the last assigned domain goes

-- Which of its organization's domains a connection signs in. One connection at most has a domain.
CREATE TABLE connection_domains (
  domain_id TEXT PRIMARY KEY REFERENCES domains (id) ON DELETE CASCADE,
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE
);
CREATE INDEX connection_domains_connection ON connection_domains (connection_id);

-- The sessions that began at a connection, to end them with it.
CREATE INDEX sessions_connection ON sessions (connection_id);
