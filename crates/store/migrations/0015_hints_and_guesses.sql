-- Keys that vouch for old ID tokens as hints, and wrong codes by the day.

-- The public half of every key that was in the key set. A token of a key that left the set
-- opens nothing any more, but still tells who is meant by a hint.
CREATE TABLE hint_keys (
  id TEXT PRIMARY KEY,                         -- snk_…, the kid
  public_jwk TEXT NOT NULL,                    -- JSON; empty if the key was withdrawn before it was noted
  withdrawn BOOLEAN NOT NULL,                  -- taken out before its time: it vouches for nothing
  kept_until BIGINT                            -- set when the key leaves the key set
);

-- Wrong codes for one address at one client, within a day that begins with the first.
CREATE TABLE passwordless_failures (
  client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  email TEXT NOT NULL,                         -- lower case
  failures BIGINT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (client_id, email)
);
CREATE INDEX passwordless_failures_since ON passwordless_failures (since);
