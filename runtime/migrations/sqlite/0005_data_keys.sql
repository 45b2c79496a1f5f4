-- What seals the records: a key for each tenant ('tenant/NAME'), the host's own ('host'), and for a day after
-- the layout before this one what idempotency keys were made with ('before'). Each is wrapped by a sealing key.
CREATE TABLE data_key (
    owner      TEXT PRIMARY KEY,
    wrapped_by TEXT NOT NULL, -- id of the sealing key
    wrapped    BLOB NOT NULL,
    until      INTEGER -- when it is of no use any more; NULL: never
) STRICT, WITHOUT ROWID;
CREATE INDEX data_key_wrapped_by ON data_key (wrapped_by);
