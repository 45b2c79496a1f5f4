-- What limits over a time have given: for each, the microsecond since 1970 at which all of it is there again.
-- Written with the message that took of it; without such limits there are no rows.
CREATE TABLE tenant_spent (
    tenant       TEXT PRIMARY KEY,
    messages_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recipient_spent (
    tenant    TEXT NOT NULL,
    recipient BLOB NOT NULL, -- MAC of channel and recipient under the tenant's key
    interval  INTEGER NOT NULL,
    hour      INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    full_at   INTEGER NOT NULL, -- the latest of them: from then on the row says nothing
    PRIMARY KEY (tenant, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipient_spent_full_at ON recipient_spent (full_at);
