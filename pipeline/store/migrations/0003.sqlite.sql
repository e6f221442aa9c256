-- Speech-to-text: who spoke and how that is known, words with times, doubts, corrections, recordings.
-- Rows of older logs are already what their replay says.

ALTER TABLE segment ADD COLUMN attribution TEXT NOT NULL DEFAULT 'stream';
ALTER TABLE segment ADD COLUMN speaker_confidence REAL;
ALTER TABLE segment ADD COLUMN speech_ms INTEGER;
ALTER TABLE segment ADD COLUMN level_db REAL;
ALTER TABLE segment ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN doubt TEXT;

ALTER TABLE utterance ADD COLUMN attribution TEXT NOT NULL DEFAULT 'stream';
ALTER TABLE utterance ADD COLUMN speaker_confidence REAL;
ALTER TABLE utterance ADD COLUMN engine TEXT;
ALTER TABLE utterance ADD COLUMN doubt TEXT;
ALTER TABLE utterance ADD COLUMN words TEXT NOT NULL DEFAULT '[]';
ALTER TABLE utterance ADD COLUMN corrections TEXT NOT NULL DEFAULT '[]';

CREATE TABLE recording (
  meeting TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  file TEXT NOT NULL,
  codec TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  sample_rate INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  participant TEXT,
  speaker TEXT,
  mixed INTEGER NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (meeting, id)
) WITHOUT ROWID;
