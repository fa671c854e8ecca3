-- What an event was about, as it was at that moment.

-- JSON object {v, …}, of events whose kind is one for webhooks; see docs/decisions/event-objects.md. NULL: of
-- another kind, or from before.
ALTER TABLE events ADD COLUMN object TEXT;

CREATE INDEX events_directory ON events (directory_id, id) WHERE directory_id IS NOT NULL;
