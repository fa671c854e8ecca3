-- Whether a client may ask about every token of the environment, as an API does that
-- other applications call.

ALTER TABLE clients ADD COLUMN introspect_all BOOLEAN NOT NULL DEFAULT FALSE;
