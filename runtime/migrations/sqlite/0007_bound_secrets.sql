-- 1: the row's secrets are sealed together with what they were given for, and for this row as it stands. 0: as
-- before, for its name alone; the next start seals them anew.
ALTER TABLE integration ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;
-- The same for a proxy's password, which is for one proxy and one user of it.
ALTER TABLE egress_source ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;
-- Grows with each change, by the counter of the integrations' revisions.
ALTER TABLE egress_source ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
