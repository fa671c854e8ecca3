-- The browser that a session began in. Two sign-ins that end in one browser at the same moment see no session of
-- each other; by this index the second one finds that of the first.
ALTER TABLE sessions ADD COLUMN browser_hash BYTEA;

-- Sessions from before have no browser, so nothing is in its way and it is small.
CREATE UNIQUE INDEX sessions_browser ON sessions (browser_hash)
 WHERE status = 'active' AND browser_hash IS NOT NULL;
