-- What this file was sealed with, and counters.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('revision', 0);

CREATE TABLE egress_source (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE egress_pool (
    name    TEXT PRIMARY KEY,
    sources TEXT NOT NULL -- JSON array of {source, weight}
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (
    id          TEXT PRIMARY KEY,
    egress_pool TEXT REFERENCES egress_pool (name),
    record      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    tenant     TEXT REFERENCES tenant (id), -- NULL: an operator's
    title      TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE connector_version (
    digest      BLOB PRIMARY KEY,
    id          TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    record      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX connector_version_id ON connector_version (id, uploaded_at);

CREATE TABLE component (
    digest BLOB PRIMARY KEY REFERENCES connector_version (digest),
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE integration (
    tenant      TEXT NOT NULL REFERENCES tenant (id),
    id          TEXT NOT NULL,
    connector   TEXT NOT NULL,
    digest      BLOB NOT NULL REFERENCES connector_version (digest),
    state       TEXT NOT NULL,
    settings    TEXT NOT NULL,
    secrets     BLOB NOT NULL, -- sealed JSON object
    egress_pool TEXT REFERENCES egress_pool (name),
    revision    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX integration_digest ON integration (digest);

CREATE TABLE route (
    tenant       TEXT NOT NULL REFERENCES tenant (id),
    channel      TEXT NOT NULL,
    integrations TEXT NOT NULL, -- JSON array of names
    PRIMARY KEY (tenant, channel)
) STRICT, WITHOUT ROWID;

-- The outbox. No reference to the tenant: it would cost every accepted message a look-up.
CREATE TABLE message (
    tenant             TEXT NOT NULL,
    id                 BLOB NOT NULL,
    channel            TEXT NOT NULL,
    recipient          TEXT NOT NULL, -- masked; the whole one is sealed
    usage_type         TEXT NOT NULL,
    state              TEXT NOT NULL,
    attempts           INTEGER NOT NULL DEFAULT 0, -- recorded ones
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    -- accepted, waiting: the earliest claim, never after expires_at; sending: the lease's end; final: NULL
    due_at             INTEGER,
    fence              INTEGER NOT NULL DEFAULT 0, -- grows with each claim
    interrupted        INTEGER NOT NULL DEFAULT 0, -- the claim took it over from one whose lease had lapsed
    armed              TEXT, -- the attempt under way, once a byte of it may have left
    idempotency_key    BLOB, -- MAC of the caller's key
    request_mac        BLOB, -- MAC of what was asked for with that key
    sealed             BLOB, -- recipient, payload, locale, …; NULL in a final state
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_due ON message (tenant, due_at, expires_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX message_idempotency ON message (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE attempt (
    message BLOB NOT NULL,
    number  INTEGER NOT NULL,
    record  TEXT NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
