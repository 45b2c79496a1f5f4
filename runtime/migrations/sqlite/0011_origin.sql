-- How a message came: 'api', 'front-door', 'test'. What came by a front door before this says 'api'.
ALTER TABLE message ADD COLUMN origin TEXT NOT NULL DEFAULT 'api';
