-- A tenant's messages of each channel are a queue of their own: one whose provider is down holds up no other.
DROP INDEX message_due;
CREATE INDEX message_due ON message (tenant, channel, due_at, expires_at) WHERE due_at IS NOT NULL;
-- What runs out of time is found without a look at all that waits.
CREATE INDEX message_expiry ON message (expires_at, due_at) WHERE due_at IS NOT NULL;
