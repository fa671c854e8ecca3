-- Roles of organizations, roles that extend others, and permissions.

-- A name is unique within an organization and within the environment, so the
-- table is built anew without the old constraint; what refers to it, likewise.
CREATE TABLE new_roles (
  id TEXT PRIMARY KEY,                         -- role_…
  organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,  -- NULL: of the whole environment
  name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT NOT NULL,
  default_creator BOOLEAN NOT NULL,            -- for the first member of an organization
  default_member BOOLEAN NOT NULL,
  extends_id TEXT REFERENCES new_roles (id),   -- has the permissions of this role too
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
INSERT INTO new_roles (id, name, display_name, description, default_creator, default_member, created_at, updated_at)
  SELECT id, name, display_name, description, default_creator, default_member, created_at, created_at FROM roles;

CREATE TABLE new_membership_roles (
  organization_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  role_id TEXT NOT NULL REFERENCES new_roles (id) ON DELETE CASCADE,
  by_provider BOOLEAN NOT NULL,                -- the identity provider sent it and takes it back; people did not give it
  PRIMARY KEY (organization_id, user_id, role_id),
  FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);
INSERT INTO new_membership_roles (organization_id, user_id, role_id, by_provider)
  SELECT organization_id, user_id, role_id, by_provider FROM membership_roles;

DROP TABLE membership_roles;
DROP TABLE roles;
ALTER TABLE new_roles RENAME TO roles;
ALTER TABLE new_membership_roles RENAME TO membership_roles;

CREATE UNIQUE INDEX roles_environment_name ON roles (name) WHERE organization_id IS NULL;
CREATE UNIQUE INDEX roles_name ON roles (name, organization_id);
CREATE INDEX roles_organization ON roles (organization_id);
CREATE INDEX roles_extends ON roles (extends_id, organization_id);
CREATE INDEX membership_roles_role ON membership_roles (role_id);

-- What an organization gives its new members in place of the environment's default.
CREATE TABLE organization_default_roles (
  organization_id TEXT PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
  member_role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE
);
CREATE INDEX organization_default_roles_member ON organization_default_roles (member_role_id);

CREATE TABLE permissions (
  id TEXT PRIMARY KEY,                         -- perm_…
  name TEXT NOT NULL UNIQUE,                   -- as tokens carry it
  description TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE role_permissions (
  role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
  PRIMARY KEY (role_id, permission_id)
);
CREATE INDEX role_permissions_permission ON role_permissions (permission_id);
