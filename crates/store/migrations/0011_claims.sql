-- What a provider says counts as what the connection says it is: the time of the
-- authentication is the provider's word or nobody's, and groups and roles come
-- from claims that the connection names.

-- When the person authenticated, as their provider says; NULL if it does not say.
-- Sessions and grants from before know only when the person arrived, and that
-- proves nothing about `max_age`.
ALTER TABLE sessions ADD COLUMN auth_time BIGINT;
ALTER TABLE grants ADD COLUMN auth_time BIGINT;

-- A role of the environment is a provider's to give only if somebody has said so.
-- What providers have given through a claim that was named has been said.
ALTER TABLE roles ADD COLUMN assignable_by_providers BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE roles SET assignable_by_providers = TRUE
 WHERE organization_id IS NULL AND id IN (
   SELECT mr.role_id FROM membership_roles mr JOIN connections c ON c.organization_id = mr.organization_id
    WHERE mr.by_provider AND c.kind = 'OIDC' AND c.settings LIKE '%"roles_claim":"%');

-- Groups came from `groups` where nothing was named, so that is named now. Roles came
-- from `roles`: that claim gives nothing any more, and still takes back what it gave.
-- (Settings are compact JSON; an unescaped quote stands around names only.)
UPDATE connections SET settings =
    replace(settings, '"groups_claim":null', '"groups_claim":"groups","groups_claim_by_upgrade":true')
 WHERE kind = 'OIDC';
UPDATE connections SET settings =
    replace(settings, '"roles_claim":null', '"roles_claim":null,"unnamed_roles_claim":true')
 WHERE kind = 'OIDC';
