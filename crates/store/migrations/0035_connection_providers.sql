-- The provider of a SAML connection, as its settings name it: two connections to one provider need different names.
-- Empty if none is entered yet. NULL until a connection of an earlier version is changed: then its settings tell.
ALTER TABLE connections ADD COLUMN idp_entity_id TEXT COLLATE "C";
CREATE INDEX connections_provider ON connections (idp_entity_id) WHERE kind = 'SAML';
