-- A message was one text, and is request and answer now. The rows are at most 30 days old, and only help to repair
-- a sign-in, so they go.
DELETE FROM login_messages;

-- Custom attributes that connections read from identity providers. Users keep the values in `custom_attributes`.
CREATE TABLE user_attributes (
  key TEXT COLLATE "C" PRIMARY KEY,            -- as tokens and users have it
  label TEXT COLLATE "C" NOT NULL,
  datatype TEXT COLLATE "C" NOT NULL,          -- STRING | NUMBER | BOOL | ARRAY | OBJECT
  enabled BOOLEAN NOT NULL,
  required BOOLEAN NOT NULL,
  oidc_claim TEXT COLLATE "C",                 -- what connections read that name no source themselves
  saml_attribute TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
