-- The secrets that the last rotation replaced: sealed JSON object, NULL when they are retired.
ALTER TABLE integration ADD COLUMN earlier_secrets BLOB;
