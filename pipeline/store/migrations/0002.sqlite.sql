-- The whole RTMS protocol: rich chat, screen share, calls, pictures, faults. Rows of older logs are
-- already what their replay says: new columns start at the values that old events stand for.

ALTER TABLE stream ADD COLUMN id_key TEXT NOT NULL DEFAULT '';
ALTER TABLE stream ADD COLUMN number TEXT NOT NULL DEFAULT '';

ALTER TABLE message ADD COLUMN session TEXT;
ALTER TABLE message ADD COLUMN chat_group TEXT;
ALTER TABLE message ADD COLUMN to_id TEXT;
ALTER TABLE message ADD COLUMN to_name TEXT;
ALTER TABLE message ADD COLUMN parent TEXT;
ALTER TABLE message ADD COLUMN files TEXT NOT NULL DEFAULT '[]';
ALTER TABLE message ADD COLUMN reactions TEXT NOT NULL DEFAULT '[]';

CREATE TABLE happening (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  stream TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  what TEXT NOT NULL,
  participant TEXT,
  speaker TEXT,
  mode TEXT,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE image (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  media TEXT NOT NULL,
  file TEXT NOT NULL,
  thumb TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  participant TEXT,
  speaker TEXT,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE clip (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  media TEXT NOT NULL,
  codec TEXT NOT NULL,
  file TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  participant TEXT,
  speaker TEXT,
  to_ms INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE fault (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  socket TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE chat_group (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE session (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;
