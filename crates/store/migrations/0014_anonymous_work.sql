-- What strangers begin is small and short. The log of sign-ins shows an open interaction by
-- these columns, and has a row of its own only when somebody came back.

ALTER TABLE interactions ADD COLUMN client_id TEXT;      -- absent for tests of a connection
ALTER TABLE interactions ADD COLUMN connection_id TEXT;  -- where it leads; the connection may be gone
ALTER TABLE interactions ADD COLUMN email TEXT;          -- what was typed or hinted
CREATE INDEX interactions_browser ON interactions (browser_hash, id);

-- What a client has taken of the work that costs most, where several nodes share this database.
CREATE TABLE anonymous_slices (
  source TEXT NOT NULL,                        -- an address, or a /64
  minute BIGINT NOT NULL,                      -- since the epoch
  taken BIGINT NOT NULL,
  PRIMARY KEY (source, minute)
);
CREATE INDEX anonymous_slices_minute ON anonymous_slices (minute);
