-- How far back the events go that are kept for a shorter time than the rest: up to this moment, in microseconds,
-- none is left.
CREATE TABLE event_sweeps (
  class TEXT COLLATE "C" PRIMARY KEY,          -- activity_events | token_events
  swept_to BIGINT NOT NULL
);
