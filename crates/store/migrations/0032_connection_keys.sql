-- The keys of our own that a SAML connection shows to its provider: with one it signs requests, with the other it
-- opens encrypted assertions. Each has a certificate of its own.
CREATE TABLE connection_keys (
  id TEXT COLLATE "C" PRIMARY KEY,
  connection_id TEXT COLLATE "C" NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  purpose TEXT COLLATE "C" NOT NULL,             -- SIGNING | DECRYPTION
  number BIGINT NOT NULL,                        -- counts the keys of one purpose: of two that are made at once, one is kept
  private_key_sealed BYTEA NOT NULL,             -- PKCS#8
  certificate BYTEA NOT NULL,                    -- DER
  created_at BIGINT NOT NULL,
  ends_at BIGINT,                                -- set when it leaves the metadata: when it is deleted
  UNIQUE (connection_id, purpose, number)
);
CREATE INDEX connection_keys_ends ON connection_keys (ends_at);

-- The metadata of a provider are read when their address is entered. Before, the address alone was enough.
UPDATE connections SET status = 'IN_PROGRESS'
 WHERE kind = 'SAML' AND status = 'COMPLETED'
   AND (settings LIKE '%"idp_entity_id":null%' OR settings LIKE '%"idp_sso_url":null%' OR settings LIKE '%"certificates":[]%');
