-- Directories: where a company's people and groups come from.

CREATE TABLE directories (
  id TEXT PRIMARY KEY,                         -- dir_…
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,                          -- SCIM
  provider TEXT,                               -- OKTA | MICROSOFT_AD | …; NULL: any other
  status TEXT NOT NULL,                        -- DRAFT | IN_PROGRESS | COMPLETED
  enabled BOOLEAN NOT NULL,
  attribute_mapping TEXT NOT NULL,             -- JSON array of {key, map_to, display_name}
  context TEXT NOT NULL,                       -- JSON object that we keep and never read
  last_synced_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX directories_organization ON directories (organization_id);

CREATE TABLE directory_secrets (
  id TEXT PRIMARY KEY,                         -- sec_…
  directory_id TEXT NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
  secret_hash BYTEA NOT NULL,
  suffix TEXT NOT NULL,                        -- the last four characters, to tell secrets apart
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE INDEX directory_secrets_directory ON directory_secrets (directory_id);

CREATE TABLE directory_users (
  id TEXT PRIMARY KEY,                         -- diruser_…
  directory_id TEXT NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
  user_name TEXT NOT NULL,                     -- as it came
  user_name_key TEXT NOT NULL,                 -- lower case: names that differ in case are one (RFC 7643 §4.1.1)
  external_id TEXT,                            -- what the directory calls it
  email TEXT,                                  -- the primary one
  emails TEXT NOT NULL,                        -- JSON array, the primary one first
  given_name TEXT,
  family_name TEXT,
  active BOOLEAN NOT NULL,
  detail TEXT NOT NULL,                        -- JSON: all attributes as they came
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (directory_id, user_name_key)
);
CREATE INDEX directory_users_updated ON directory_users (directory_id, updated_at);

CREATE TABLE directory_groups (
  id TEXT PRIMARY KEY,                         -- dirgroup_…
  directory_id TEXT NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
  display_name TEXT NOT NULL,
  external_id TEXT,
  detail TEXT NOT NULL,                        -- JSON: all attributes as they came
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX directory_groups_updated ON directory_groups (directory_id, updated_at);

CREATE TABLE directory_group_members (
  group_id TEXT NOT NULL REFERENCES directory_groups (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES directory_users (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, user_id)
);
CREATE INDEX directory_group_members_user ON directory_group_members (user_id);

-- The roles that members of a group are given.
CREATE TABLE directory_group_roles (
  group_id TEXT NOT NULL REFERENCES directory_groups (id) ON DELETE CASCADE,
  role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, role_id)
);
CREATE INDEX directory_group_roles_role ON directory_group_roles (role_id);
