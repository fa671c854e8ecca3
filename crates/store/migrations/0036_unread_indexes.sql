-- only: sqlite
-- SQLite chooses a plan by the text of a statement alone. The lists of sign-ins and of events have a condition for each
-- filter, which also holds without the filter. No index on the column of the filter can serve such a condition, so these
-- indexes were never read, and every sign-in wrote to them. PostgreSQL looks at the values, and reads them.
DROP INDEX auth_logs_email;
DROP INDEX auth_logs_client;
DROP INDEX auth_logs_organization;
DROP INDEX events_organization;
