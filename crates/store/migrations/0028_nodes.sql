-- The nodes that run on this database, and by how much the clock of each is ahead of the database's own,
-- in microseconds. A node writes its row once a minute; the time is the database's.
CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  clock_ahead BIGINT NOT NULL,
  seen_at BIGINT NOT NULL
);
CREATE INDEX nodes_seen ON nodes (seen_at);
