"""The glossary file: words to expect, one a line.

``# a comment``, ``Kubeflow``, or with what an engine is known to hear instead:
``Siobhan: shavon, shevawn``.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput
from pipeline.transcribe.common_words import FUNCTION_WORDS

MOST_TERMS = 500
LONGEST_TERM = 60
LONGEST_FILE = 256 * 1024
MOST_WORDS = 4
"""Words in a row that may be one misheard word ("coober net ease")."""

_COMMENT = re.compile(r"(?:^|\s)#")  # not the one of "C#"


class GlossaryLine(msgspec.Struct, frozen=True):
    """A term and the words that are to be taken for it."""

    term: str
    sounds: tuple[str, ...] = ()


def read(path: Path) -> tuple[GlossaryLine, ...]:
    """Raises BadInput, naming file and line."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise BadInput(f"{path}: the glossary cannot be read ({error.strerror})") from error
    if len(data) > LONGEST_FILE:
        raise BadInput(f"{path}: a glossary may have {LONGEST_FILE // 1024} KB at most")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: the glossary is not UTF-8 text") from error
    lines = [
        _line(path, number, _COMMENT.split(line, 1)[0].strip())
        for number, line in enumerate(text.splitlines(), 1)
    ]
    found = tuple(line for line in lines if line is not None)
    if len(found) > MOST_TERMS:
        raise BadInput(f"{path}: a glossary may have {MOST_TERMS} terms, this one has {len(found)}")
    return found


def _line(path: Path, number: int, text: str) -> GlossaryLine | None:
    if not text:
        return None
    term, _, sounds = (part.strip() for part in text.partition(":"))
    heard = tuple(" ".join(part.split()) for part in sounds.split(",") if part.strip())
    for what in (term, *heard):
        if len(what) > LONGEST_TERM or not any(c.isalnum() for c in what):
            raise BadInput(
                f"{path}, line {number}: {what[:LONGEST_TERM]!r} is no term; write a word or a few"
                " on each line, or `term: sounds like, sounds like`"
            )
        if not what.isprintable():
            raise BadInput(f"{path}, line {number}: a term with control characters")
    for sound in heard:
        if len(sound) < 3 or sound.casefold() in FUNCTION_WORDS or len(sound.split()) > MOST_WORDS:
            raise BadInput(
                f"{path}, line {number}: {sound!r} cannot be replaced wherever it is heard; give"
                f" three letters or more, {MOST_WORDS} words at most"
            )
    return GlossaryLine(" ".join(term.split()), heard)
