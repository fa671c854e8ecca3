-- Refresh tokens expire with their grant. Those that are no longer needed are found by their grants, so they need no index
-- of their own for that. Every login and every refresh wrote to it, at places that lie far apart.
DROP INDEX IF EXISTS refresh_tokens_expiry;
