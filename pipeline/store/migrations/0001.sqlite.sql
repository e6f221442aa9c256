-- The log, its projections, and full text over what people search.

CREATE TABLE event (
  meeting TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (meeting, seq)
) WITHOUT ROWID;

CREATE TRIGGER event_append_only BEFORE UPDATE ON event BEGIN
  SELECT raise(ABORT, 'the log is append-only');
END;

-- Projections. Every one can be made anew from the log (rtms-notes rebuild).

CREATE TABLE meeting (
  meeting TEXT PRIMARY KEY,
  product TEXT NOT NULL,
  zoom_id TEXT NOT NULL,
  state TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  zone TEXT NOT NULL,
  title TEXT,
  engine TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  covered_seq INTEGER NOT NULL,
  stages TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX meeting_by_zoom_id ON meeting (zoom_id, product);
CREATE INDEX meeting_by_start ON meeting (started_ms);
CREATE INDEX meeting_unfinished ON meeting (started_ms) WHERE state <> 'finished';

CREATE TABLE stream (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  server_urls TEXT NOT NULL,
  announced_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  reason INTEGER,
  detail TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE participant (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  joined_ms INTEGER,
  left_ms INTEGER,
  position INTEGER NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE segment (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  file TEXT NOT NULL,
  samples INTEGER NOT NULL,
  participant TEXT,
  speaker TEXT,
  outcome TEXT,
  outcome_detail TEXT,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE utterance (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  source TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  text TEXT NOT NULL,
  participant TEXT,
  speaker TEXT,
  revision INTEGER NOT NULL,
  role TEXT NOT NULL,
  language TEXT,
  confidence REAL,
  segment TEXT,
  deleted INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE message (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  text TEXT NOT NULL,
  participant TEXT,
  speaker TEXT,
  zoom_id TEXT,
  revision INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE gap (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  media TEXT NOT NULL,
  cause TEXT NOT NULL,
  detail TEXT NOT NULL,
  stream TEXT,
  participant TEXT,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE note_item (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  text TEXT NOT NULL,
  owner TEXT,
  due TEXT,
  verified INTEGER NOT NULL,
  author TEXT NOT NULL,
  merged_into TEXT,
  body TEXT NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;

CREATE TABLE llm_call (
  meeting TEXT NOT NULL,
  position INTEGER NOT NULL,
  call TEXT NOT NULL,
  prompt TEXT NOT NULL,
  prompt_hash TEXT NOT NULL,
  model TEXT NOT NULL,
  outcome TEXT NOT NULL,
  milliseconds INTEGER NOT NULL,
  tokens_in INTEGER NOT NULL,
  tokens_cached INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (meeting, position)
) WITHOUT ROWID;

-- What can be searched: shown utterances, chat and notes that stand. Deleted words are not here.
CREATE TABLE passage (
  number INTEGER PRIMARY KEY,
  meeting TEXT NOT NULL,
  kind TEXT NOT NULL,
  ref TEXT NOT NULL,
  speaker TEXT,
  text TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  UNIQUE (meeting, kind, ref)
);

CREATE VIRTUAL TABLE passage_words USING fts5 (
  speaker, text,
  content = 'passage', content_rowid = 'number',
  tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER passage_added AFTER INSERT ON passage BEGIN
  INSERT INTO passage_words (rowid, speaker, text) VALUES (new.number, new.speaker, new.text);
END;

CREATE TRIGGER passage_removed AFTER DELETE ON passage BEGIN
  INSERT INTO passage_words (passage_words, rowid, speaker, text)
  VALUES ('delete', old.number, old.speaker, old.text);
END;

CREATE TRIGGER passage_changed AFTER UPDATE ON passage BEGIN
  INSERT INTO passage_words (passage_words, rowid, speaker, text)
  VALUES ('delete', old.number, old.speaker, old.text);
  INSERT INTO passage_words (rowid, speaker, text) VALUES (new.number, new.speaker, new.text);
END;
