-- A tenant's own texts.
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

-- How a tenant's templates stand in for each other: JSON object, NULL for the defaults. A column of
-- its own, because the tenant writes it and the operator writes the record.
ALTER TABLE tenant ADD COLUMN languages TEXT;
