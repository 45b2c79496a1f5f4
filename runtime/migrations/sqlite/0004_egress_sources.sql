-- The sealed password of a source's proxy.
ALTER TABLE egress_source ADD COLUMN proxy_password BLOB;

-- How many messages left by a source that is being warmed up, in the day and the hour counted last.
CREATE TABLE source_use (
    source    TEXT NOT NULL REFERENCES egress_source (name) ON DELETE CASCADE,
    span      TEXT NOT NULL, -- 'day', 'hour'
    starts_at INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (source, span)
) STRICT, WITHOUT ROWID;
