-- How somebody proved who they are, beside the connection by which they came.

-- JSON array of {method, …, at}, the proofs of one sign-in in their order. NULL: from before there was a list,
-- and one proof by the connection at auth_time, which is read of such rows alone.
ALTER TABLE sessions ADD COLUMN proofs TEXT;
ALTER TABLE grants ADD COLUMN proofs TEXT;

ALTER TABLE auth_logs ADD COLUMN method TEXT;  -- connection | mail | passkey | session; NULL: not known (yet)

-- A sign-in under way is at a way, and which one that is stands beside it.
UPDATE interactions SET stage = REPLACE(stage, '{"stage":"connection_chosen",', '{"stage":"at","way":"connection",')
 WHERE stage LIKE '{"stage":"connection_chosen",%';
UPDATE interactions SET stage = REPLACE(stage, '{"stage":"away",', '{"stage":"at","way":"connection",')
 WHERE stage LIKE '{"stage":"away",%';
