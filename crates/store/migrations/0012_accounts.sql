-- Whose word stands behind a domain and an address, and who may take a place anew.

-- Active because somebody with credentials said so is not the same as proved.
ALTER TABLE domains ADD COLUMN proved_by TEXT;       -- DNS | OPERATOR | DEVELOPMENT; NULL: nobody has proved it
ALTER TABLE domains ADD COLUMN proved_at BIGINT;
ALTER TABLE domains ADD COLUMN proved_actor TEXT;    -- who said or asked so, as in events; NULL: Genkan itself
UPDATE domains SET proved_by = 'DNS', proved_at = updated_at
 WHERE kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED' AND method = 'DNS';
UPDATE domains SET proved_by = 'DEVELOPMENT', proved_at = updated_at
 WHERE kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED' AND proved_by IS NULL
   AND EXISTS (SELECT 1 FROM environment e WHERE e.kind = 'development');

-- When the person showed that they read the mail of their address; goes with the address. An invitation is
-- also accepted for somebody who signs in or whom an administrator lets in: the events tell these apart.
ALTER TABLE users ADD COLUMN email_proved_at BIGINT;
UPDATE users SET email_proved_at =
  (SELECT MAX(i.accepted_at) FROM invitations i
    WHERE i.user_id = users.id AND i.email = users.email
      AND EXISTS (SELECT 1 FROM events e
                   WHERE e.occurred_at = i.accepted_at AND e.user_id = i.user_id AND e.actor IS NULL
                     AND e.kind = 'user.organization_membership_updated')
      AND NOT EXISTS (SELECT 1 FROM events e
                       WHERE e.occurred_at = i.accepted_at AND e.user_id = i.user_id AND e.kind = 'user.login'))
 WHERE email_verified;

-- An operator lets people of a connection come with another subject, each once.
CREATE TABLE relink_permissions (
  id TEXT PRIMARY KEY,                         -- rlk_…
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,  -- NULL: everybody whom the connection knows
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX relink_permissions_connection ON relink_permissions (connection_id, expires_at);
CREATE INDEX relink_permissions_expiry ON relink_permissions (expires_at);
CREATE TABLE relink_uses (
  permission_id TEXT NOT NULL REFERENCES relink_permissions (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  used_at BIGINT NOT NULL,
  PRIMARY KEY (permission_id, user_id)
);

-- What began at a place ends with it, wherever its session has gone since.
CREATE INDEX grants_connection ON grants (connection_id);
CREATE INDEX grants_organization ON grants (organization_id);
