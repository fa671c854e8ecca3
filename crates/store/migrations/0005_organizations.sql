-- What the management API keeps of organizations: settings, proof of domains, portal links.

ALTER TABLE organizations ADD COLUMN slug TEXT;               -- a name for URLs, like a host name
ALTER TABLE organizations ADD COLUMN logo_url TEXT;
ALTER TABLE organizations ADD COLUMN region TEXT;             -- US | EU, as the application said
ALTER TABLE organizations ADD COLUMN features TEXT NOT NULL DEFAULT '[]';  -- JSON array of what is switched on
ALTER TABLE organizations ADD COLUMN session_policy TEXT;     -- JSON; NULL: the environment's alone
ALTER TABLE organizations ADD COLUMN branding TEXT;           -- JSON; NULL: the environment's
CREATE UNIQUE INDEX organizations_slug ON organizations (slug);

-- Domains that are there already were given by an operator, who answers for them.
ALTER TABLE domains ADD COLUMN status TEXT NOT NULL DEFAULT 'VERIFIED';  -- PENDING | VERIFIED | FAILED | AUTO_VERIFIED
ALTER TABLE domains ADD COLUMN method TEXT NOT NULL DEFAULT 'ADMIN';     -- ADMIN | DNS | NOT_APPLICABLE
ALTER TABLE domains ADD COLUMN txt_value TEXT NOT NULL DEFAULT '';       -- what the TXT record must hold; published, so no secret
ALTER TABLE domains ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
UPDATE domains SET updated_at = created_at;
UPDATE domains SET status = 'AUTO_VERIFIED', method = 'NOT_APPLICABLE' WHERE kind = 'ALLOWED_EMAIL_DOMAIN';
-- A claim that nobody has proved keeps a domain from nobody else.
DROP INDEX domains_routing;
CREATE UNIQUE INDEX domains_routing ON domains (domain) WHERE kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED';
CREATE INDEX domains_unproved ON domains (updated_at) WHERE status = 'PENDING';

-- A way into the admin portal, for one visit.
CREATE TABLE portal_links (
  id TEXT PRIMARY KEY,                         -- lnk_…
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  token_hash BYTEA NOT NULL UNIQUE,            -- the last part of its address
  features TEXT NOT NULL,                      -- JSON array: which parts of the portal; all of them if empty
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX portal_links_organization ON portal_links (organization_id);
CREATE INDEX portal_links_expiry ON portal_links (expires_at);
