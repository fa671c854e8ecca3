-- Who made an event happen, where it was not the user: a client, or the command line.
ALTER TABLE events ADD COLUMN actor TEXT;
