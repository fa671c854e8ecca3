-- Clients of organizations and resources, resources, API tokens.

-- A server that applications ask tokens for: an API, an MCP server.
CREATE TABLE resources (
  id TEXT PRIMARY KEY,                         -- res_…
  kind TEXT NOT NULL,                          -- WEB | MOBILE | DESKTOP | SERVER | MCP_SERVER
  name TEXT NOT NULL,
  settings TEXT NOT NULL,                      -- JSON: everything that no query asks for
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX resources_kind ON resources (kind, id);

-- At most one of both: a client without an owner belongs to the environment.
ALTER TABLE clients ADD COLUMN organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE;
ALTER TABLE clients ADD COLUMN resource_id TEXT REFERENCES resources (id) ON DELETE CASCADE;
ALTER TABLE clients ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN audience TEXT NOT NULL DEFAULT '[]';       -- JSON array
ALTER TABLE clients ADD COLUMN custom_claims TEXT NOT NULL DEFAULT '[]';  -- JSON array of key and value
ALTER TABLE clients ADD COLUMN grant_types TEXT NOT NULL DEFAULT '[]';    -- JSON array; empty: all
CREATE INDEX clients_organization ON clients (organization_id, id);
CREATE INDEX clients_resource ON clients (resource_id, id);

ALTER TABLE client_secrets ADD COLUMN disabled BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE client_secrets ADD COLUMN created_by TEXT;                    -- the client that asked for it
ALTER TABLE client_secrets ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE client_secrets ADD COLUMN last_used_at BIGINT;
UPDATE client_secrets SET updated_at = created_at;

-- Opaque tokens that an application gives to its customers and asks us about.
CREATE TABLE api_tokens (
  id TEXT PRIMARY KEY,                         -- apit_…
  token_hash BYTEA NOT NULL UNIQUE,
  suffix TEXT NOT NULL,                        -- the last four characters, to tell tokens apart
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,  -- NULL: of the whole organization
  custom_claims TEXT NOT NULL,                 -- JSON object
  description TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT
);
CREATE INDEX api_tokens_organization ON api_tokens (organization_id, id);
CREATE INDEX api_tokens_user ON api_tokens (user_id);
CREATE INDEX api_tokens_expiry ON api_tokens (expires_at);
