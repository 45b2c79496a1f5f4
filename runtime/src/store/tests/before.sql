PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'first','2026-11-21 15:03:34',1,X'ff25b8cbda3c694ea67515450a319f50c6fd056845349e6c9ce5fbe8217537733b01a5f139d3ca7660550549739a8917',8913188);
INSERT INTO _sqlx_migrations VALUES(2,'templates','2026-11-21 15:03:34',1,X'c5e65f7477ab802172847869a9b47b9f0a14ad76c488ffa948901073e679636740e44ef1648dee603938e406bf963beb',1242626);
INSERT INTO _sqlx_migrations VALUES(3,'email service','2026-11-21 15:03:34',1,X'd67befa2cff9f0262005c8c044d964d6227380a28b6e80b6c0f7a7ddc26e367cd2a50cc885d5017a41d82d0d6ed8b1bc',667607);
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('key',X'8dab1054c8cc1d58ebea118aa4fee5b03cc173234b2560699b06ebe150b5726bd4f8b1');
INSERT INTO meta VALUES('revision',2);
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
, languages TEXT) STRICT, WITHOUT ROWID;
INSERT INTO tenant VALUES('acme',NULL,'{"id":"acme","title":"","created_at":"2026-11-21T15:03:39.445Z"}',NULL);
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
INSERT INTO connector_version VALUES(X'79296615ab4ae70ec9fde9a9851143884eeb2a7fb50edb183cac4d10303a1844','http-email',1795273419433,'{"digest":"79296615ab4ae70ec9fde9a9851143884eeb2a7fb50edb183cac4d10303a1844","size":225669,"info":{"id":"http-email","channel":"email","version":"0.1.0","titles":[["en","HTTP e-mail"]],"hosts":["{settings:/endpoint}"],"secret_grants":[],"readme":"","settings_schema":{},"descriptions":[]},"uploaded_at":"2026-11-21T15:03:39.433Z"}');
CREATE TABLE component (
    digest BLOB PRIMARY KEY REFERENCES connector_version (digest),
    bytes  BLOB NOT NULL
) STRICT;
INSERT INTO component VALUES(X'79296615ab4ae70ec9fde9a9851143884eeb2a7fb50edb183cac4d10303a1844',X'00');
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
INSERT INTO integration VALUES('acme','mail','http-email',X'79296615ab4ae70ec9fde9a9851143884eeb2a7fb50edb183cac4d10303a1844','active','{"endpoint":"https://hooks.example.com/send","authorization":null}',X'bcc9fa37b13cdccfadaff349d99b355284a626bfbed9c9f0d205368aae365b5517b7ab4058bf4228c48d6569386eb42a0991b542d9d6546cf1260ee799e2bb4655279bd0de1c7e',NULL,2,1795273419491);
CREATE TABLE route (
    tenant       TEXT NOT NULL REFERENCES tenant (id),
    channel      TEXT NOT NULL,
    integrations TEXT NOT NULL, -- JSON array of names
    PRIMARY KEY (tenant, channel)
) STRICT, WITHOUT ROWID;
INSERT INTO route VALUES('acme','email','["mail"]');
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
INSERT INTO message VALUES('acme',X'01a1fea26b01710392a8172fd1c4b9ef','email','l…@euler.example','SignIn','accepted',0,0,1795273419521,1795273420256,1795274019521,1795273421584,2,0,NULL,X'517abdbaac49988ecff071ed1d11e27b8bdf3f70893db70b93a7c6583d28e495',X'1e6bb612609c3a2d0b30802d2a362969881213d1bdb1d724defd76c4247c91c9',X'6a8af5deb9980e031daccc16ca700222adb07a73ccee5bbc563819ef8aafc035aa1dd990c913380ede0850af45a12459b7862e0ffa025fca677003fc9c903c478c6e26fd702738d03bbcfc530e9f12dc6916e0cce148c534dbde46257a60cca6a502f2c3b3b9bbf053c2d38b7a6c611f33bdc1d2cfeb22ba2cf050b39ef39963d3bf023d4e1dddd63593197db8a0f9846321efb9e245d3330062094cd7ea');
CREATE TABLE attempt (
    message BLOB NOT NULL,
    number  INTEGER NOT NULL,
    record  TEXT NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE template (
    id           BLOB PRIMARY KEY,
    tenant       TEXT NOT NULL REFERENCES tenant (id),
    channel      TEXT NOT NULL,
    language_tag TEXT NOT NULL, -- as its tenant writes it
    usage_type   TEXT NOT NULL,
    details      TEXT NOT NULL, -- JSON object
    created_at   INTEGER NOT NULL,
    UNIQUE (tenant, channel, language_tag, usage_type)
) STRICT;
CREATE TABLE email_service (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    tenant      TEXT NOT NULL,
    integration TEXT NOT NULL,
    record      TEXT NOT NULL,
    FOREIGN KEY (tenant, integration) REFERENCES integration (tenant, id)
) STRICT;
CREATE TABLE email_use (
    tenant TEXT NOT NULL,
    month  TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (tenant, month)
) STRICT, WITHOUT ROWID;
CREATE INDEX connector_version_id ON connector_version (id, uploaded_at);
CREATE INDEX integration_digest ON integration (digest);
CREATE INDEX message_due ON message (tenant, due_at, expires_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX message_idempotency ON message (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
COMMIT;
