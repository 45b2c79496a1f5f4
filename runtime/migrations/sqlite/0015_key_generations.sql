-- A data key has generations: the newest seals, an earlier one opens until nothing is left that it sealed. What
-- authenticates stands by itself and stays. Each is wrapped by a sealing key.
CREATE TABLE data_key_anew (
    owner      TEXT NOT NULL, -- 'tenant/NAME', 'host', 'before'
    purpose    TEXT NOT NULL, -- 'seal', 'mac'
    generation INTEGER NOT NULL, -- 1: never renewed; a MAC key has no other
    made_at    INTEGER, -- what its age is counted from; NULL: from the next look at it. Of a MAC key: NULL
    wrapped_by TEXT NOT NULL, -- id of the sealing key
    wrapped    BLOB NOT NULL,
    until      INTEGER, -- when it is of no use any more; NULL: never
    PRIMARY KEY (owner, purpose, generation)
) STRICT, WITHOUT ROWID;
-- Nobody knows how old these are: older than any age at which a key is renewed. The next start adds the MAC keys.
INSERT INTO data_key_anew SELECT owner, 'seal', 1, 0, wrapped_by, wrapped, until FROM data_key;
DROP TABLE data_key;
ALTER TABLE data_key_anew RENAME TO data_key;
CREATE INDEX data_key_wrapped_by ON data_key (wrapped_by);
CREATE INDEX data_key_undated ON data_key (owner) WHERE purpose = 'seal' AND made_at IS NULL;

-- The generation that sealed what the row holds sealed.
ALTER TABLE message ADD COLUMN key_generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE integration ADD COLUMN key_generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE egress_source ADD COLUMN key_generation INTEGER NOT NULL DEFAULT 1;
