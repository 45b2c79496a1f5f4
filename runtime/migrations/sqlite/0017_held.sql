-- The integration whose provider is down, and for which the message waits without an attempt.
ALTER TABLE message ADD COLUMN held_by TEXT;
