-- What is to be delivered to somebody elsewhere: one queue for every kind, with one claim. And what events are about.

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,                         -- mail_… bcl_…
  kind TEXT NOT NULL,                          -- mail | back_channel_logout
  receiver TEXT NOT NULL,                      -- who must answer: one that does not keeps only its own waiting
  facts TEXT NOT NULL,                         -- JSON object of the kind; nothing secret
  sealed BYTEA,                                -- what else the kind needs to say; may hold a code
  attempts BIGINT NOT NULL,                    -- how often it was claimed, which tells a claim from a later one
  next_at BIGINT NOT NULL,                     -- when it may be claimed; while it is claimed, the end of the lease
  expires_at BIGINT NOT NULL,                  -- afterwards it is of no use to the receiver
  created_at BIGINT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (kind, next_at, id, receiver);
CREATE INDEX deliveries_expiry ON deliveries (expires_at, id);

-- What waits goes on waiting as it was, with its attempts and its next moment.
INSERT INTO deliveries (id, kind, receiver, facts, sealed, attempts, next_at, expires_at, created_at)
  SELECT id, 'mail', 'smtp', '{"kind":"' || kind || '"}', content_sealed, attempts, next_attempt_at, expires_at,
         created_at
    FROM mails;
DROP TABLE mails;

-- An address is what its application wrote; the rest are identifiers. Seven days in microseconds.
INSERT INTO deliveries (id, kind, receiver, facts, attempts, next_at, expires_at, created_at)
  SELECT id, 'back_channel_logout', client_id,
         '{"uri":"' || REPLACE(REPLACE(uri, '\', '\\'), '"', '\"') || '","session_id":"' || session_id
           || '","user_id":"' || user_id || '"}',
         attempts, next_attempt_at, created_at + 604800000000, created_at
    FROM back_channel_logouts;
DROP TABLE back_channel_logouts;

-- Whose connection or directory an event is about, found without a look into its facts.
ALTER TABLE events ADD COLUMN connection_id TEXT;
ALTER TABLE events ADD COLUMN directory_id TEXT;
CREATE INDEX events_connection ON events (connection_id, id) WHERE connection_id IS NOT NULL;

-- Before which event the facts of old ones are still to be read, by a job of the server, the newest first.
CREATE TABLE event_backlog (
  before_id TEXT PRIMARY KEY                   -- evt_…; no row: all of them are read
);
INSERT INTO event_backlog (before_id) VALUES ('zzzz');
