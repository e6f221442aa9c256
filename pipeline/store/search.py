"""Full-text search: what a person typed as an FTS5 expression, and what was found."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

_PARTS = re.compile(r'"([^"]*)"|([^\s"]+)')
_MOST = 32  # FTS5 refuses expressions that are too deep
_BEGINNING = 3  # words this long also match longer words: there is no stemming


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Where words were said, typed or noted.

    ``ref`` is the id of the utterance, message or note item; ``snippet`` plain text cut around
    the words; ``at_ms`` meeting time; ``score`` grows with relevance. ``private``: a chat message
    that was not for everybody.
    """

    meeting: str
    ref: str
    kind: Literal["utterance", "message", "note"]
    speaker: str | None
    snippet: str
    at_ms: int
    score: float
    private: bool = False


SQL = """
SELECT p.meeting, p.ref, p.kind, p.speaker,
       snippet(passage_words, 1, '', '', ' ... ', 24) AS snippet, p.at_ms,
       -bm25(passage_words, 0.5, 1.0) AS score,
       ifnull(CASE  -- as model.speech.Message.private has it (tested)
         WHEN m.session IS NULL THEN m.to_id IS NOT NULL OR m.to_name IS NOT NULL
         ELSE m.session <> 'everyone' OR m.to_id IS NOT NULL END, 0) AS private
FROM passage_words JOIN passage AS p ON p.number = passage_words.rowid
LEFT JOIN message AS m ON p.kind = 'message' AND m.meeting = p.meeting AND m.id = p.ref
WHERE passage_words MATCH :words AND (:meeting IS NULL OR p.meeting = :meeting)
ORDER BY score DESC, p.at_ms, p.number
LIMIT :limit
"""


def expression(query: str) -> str:
    """The FTS5 expression of a query; empty when there is nothing to search for.

    All words must occur; text in double quotes is a phrase. Every term is quoted, so no operator
    or bad syntax of FTS5 can come from outside. Words of three letters and more also match as
    the beginning of longer ones.
    """
    plain = query.encode("utf-8", "ignore").decode("utf-8").replace("\0", " ")
    terms: list[str] = []
    for phrase, word in _PARTS.findall(plain):
        text = phrase or word
        if not any(c.isalnum() for c in text):
            continue  # nothing the tokenizer would keep
        beginning = "*" if word and len(word) >= _BEGINNING and word[-1].isalnum() else ""
        terms.append(f'"{text}"{beginning}')
    return " AND ".join(terms[:_MOST])
