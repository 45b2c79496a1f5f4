-- What a key may do stands in its row. Before, a key without a tenant was an operator's.
CREATE TABLE api_key_with_role (
    id         TEXT PRIMARY KEY,
    tenant     TEXT REFERENCES tenant (id), -- NULL: the server's own
    role       TEXT NOT NULL,
    title      TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    CHECK (role IN ('operator', 'metrics') AND tenant IS NULL
        OR role IN ('tenant-admin', 'sender') AND tenant IS NOT NULL)
) STRICT;
INSERT INTO api_key_with_role (id, tenant, role, title, hash, created_at, revoked_at)
SELECT id, tenant, iif(tenant IS NULL, 'operator', 'tenant-admin'), title, hash, created_at, revoked_at
FROM api_key;
DROP TABLE api_key;
ALTER TABLE api_key_with_role RENAME TO api_key;
CREATE INDEX api_key_tenant ON api_key (tenant, created_at, id);
