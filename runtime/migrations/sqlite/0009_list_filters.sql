-- Lists by state and channel read what they show. Only finished messages are in it: accepting and sending
-- touch it once, at the end.
CREATE INDEX message_final ON message (tenant, state, channel, id) WHERE due_at IS NULL;

-- What leaves by which pool, without reading settings.
CREATE INDEX integration_way ON integration (tenant, digest, egress_pool);
