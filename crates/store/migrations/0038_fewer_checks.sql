-- only: postgresql
-- PostgreSQL checks a foreign key at each insert by a statement of its own, which locks the row that the key names.
-- A grant ends with its session, and the session with its person, so the grant needs no check of the person. A code of a
-- grant that is gone redeems nothing, and goes when it is no longer remembered.
-- step
ALTER TABLE grants DROP CONSTRAINT IF EXISTS grants_user_id_fkey;
-- step
DROP INDEX IF EXISTS grants_user;
-- step
ALTER TABLE authorization_codes DROP CONSTRAINT IF EXISTS authorization_codes_grant_id_fkey;
-- step
DROP INDEX IF EXISTS authorization_codes_grant;
