-- What the management API knows of users and their memberships, and invitations.

ALTER TABLE users ADD COLUMN phone_number TEXT;
ALTER TABLE users ADD COLUMN phone_number_verified BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN preferred_username TEXT;
ALTER TABLE users ADD COLUMN gender TEXT;
ALTER TABLE users ADD COLUMN groups TEXT NOT NULL DEFAULT '[]';             -- JSON array: what the application sorts them into
ALTER TABLE users ADD COLUMN custom_attributes TEXT NOT NULL DEFAULT '{}';  -- JSON object
ALTER TABLE users ADD COLUMN profile_metadata TEXT NOT NULL DEFAULT '{}';   -- JSON object

ALTER TABLE memberships ADD COLUMN status TEXT NOT NULL DEFAULT 'ACTIVE';   -- ACTIVE | INACTIVE | PENDING_INVITE
ALTER TABLE memberships ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';     -- JSON object
ALTER TABLE memberships ADD COLUMN inviter_email TEXT;
ALTER TABLE memberships ADD COLUMN provisioning_method TEXT;                -- NULL: made before this was remembered
ALTER TABLE memberships ADD COLUMN accepted_at BIGINT;
ALTER TABLE memberships ADD COLUMN expires_at BIGINT;                       -- of the pending invitation
UPDATE memberships SET accepted_at = created_at;

-- How many may be members, counting active ones and open invitations.
ALTER TABLE organizations ADD COLUMN max_allowed_users BIGINT;

-- The newest invitation of a membership; what was accepted stays, to tell a used link from a wrong one.
CREATE TABLE invitations (
  organization_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL UNIQUE,
  email TEXT NOT NULL,                         -- whom it was sent to
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  resent_at BIGINT,
  resent_count BIGINT NOT NULL,
  accepted_at BIGINT,
  PRIMARY KEY (organization_id, user_id),
  FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);
