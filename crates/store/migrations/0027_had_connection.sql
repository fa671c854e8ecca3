-- That an organization had a connection, also when none is left.

-- Since when it is known that a connection of its own was enabled once. Deleting the last one then leaves the
-- organization closed to sessions of elsewhere; an operator's word clears this. NULL: never, or cleared.
ALTER TABLE organizations ADD COLUMN had_connection_at BIGINT;

-- One that is complete and off now was on before, or is about to be.
UPDATE organizations SET had_connection_at = updated_at
 WHERE EXISTS (SELECT 1 FROM connections c
                WHERE c.organization_id = organizations.id AND (c.enabled OR c.status = 'COMPLETED'));
