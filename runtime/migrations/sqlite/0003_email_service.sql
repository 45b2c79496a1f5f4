-- The integration that the operator lends: one or none.
CREATE TABLE email_service (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    tenant      TEXT NOT NULL,
    integration TEXT NOT NULL,
    record      TEXT NOT NULL,
    FOREIGN KEY (tenant, integration) REFERENCES integration (tenant, id)
) STRICT;

-- How many messages each tenant has sent through it. The month is that of UTC, as in 2026-11.
CREATE TABLE email_use (
    tenant TEXT NOT NULL,
    month  TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (tenant, month)
) STRICT, WITHOUT ROWID;
