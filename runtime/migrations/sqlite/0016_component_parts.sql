-- Components in parts, each written and deleted by itself: what is large holds up no message.
CREATE TABLE component_part (
    digest BLOB NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (digest, part)
) STRICT;
INSERT INTO component_part (digest, part, bytes) SELECT digest, 0, bytes FROM component;
DROP TABLE component;
