"""Whether a note item follows from the words it cites. Deterministic and pure.

What cannot be shown from the words is a finding with one line of reason; nobody is believed for
sounding right. A finding never changes an item.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec

from pipeline.model.notes import Check, Evidence, NoteItem
from pipeline.model.speech import SHOWN, Utterance
from pipeline.summarize.addresses import unsaid_addresses
from pipeline.summarize.calendar_words import mentions
from pipeline.summarize.due import resolve_due
from pipeline.summarize.numbers import unsaid, values_said
from pipeline.summarize.people import call_names, resolve_owner, same_person
from pipeline.summarize.quotes import locate
from pipeline.summarize.words import content, fold, sentences, stem
from pipeline.summarize.writer import Spoken, span_of

_SHOWN_QUOTE = 60
_WORD = re.compile(r"[^\W\d_]+")
_FIRST_PERSON = re.compile(r"\b(?:i|i['\u2019]\w+|me|my|mine|myself|we|we['\u2019]\w+|us)\b", re.I)
_NAMES_AND_WORDS = (
    "art bill bob chase chip dale dawn drew faith frank grace grant hope iris jack joy june mark"
    " may miles nick pat penny pierce ray rich rob rose sky sue summer will"
)
_ALSO_WORDS = frozenset(_NAMES_AND_WORDS.split())
"""First names that are English words, too: as the first word of a line they prove nothing, unless
somebody does something there ("Mark will")."""
_DOES = re.compile(
    r"\W+(?:will|agree[sd]?|to|has|had|is|was|shall|should|must|can|could|would|promise[sd]?"
    r"|said|says|wants?|wanted|needs?|needed|takes?|took|offers?|offered|accept(?:s|ed)?"
    r"|volunteer(?:s|ed)?|owns?|ask(?:s|ed)?|confirm(?:s|ed)?|thinks?|thought|suggest(?:s|ed)?"
    r"|and\s+[A-Z]\w+)\b"
)
_TELLING = 3
"""Words with a meaning of their own, from which on a line must share one with what it cites."""


class Finding(msgspec.Struct, frozen=True):
    """Something that does not follow from the cited words. ``kind`` is a stable word for metrics:
    no_evidence, unknown_ref, hidden_ref, deleted_ref, revised_ref, speaker, quote, owner,
    owner_ambiguous, owner_as_heard, due, date, number, name, address, unrelated."""

    kind: str
    reason: str


class _Cited(msgspec.Struct, frozen=True):
    """A line that is cited and can be: its words at their current revision."""

    evidence: Evidence
    line: Spoken

    @property
    def said_ms(self) -> int:
        return span_of(self.line)[1]


def verify(
    item: NoteItem, *, words: Mapping[str, Spoken], roster: Iterable[str], zone: str
) -> Check:
    """The check of an item against ``words`` (every utterance and message by id, at its latest
    revision), the display names of ``roster`` and the meeting's IANA ``zone``.

    Raises ZoneInfoNotFoundError.
    """
    found = findings(item, words=words, roster=roster, zone=zone)
    reasons = tuple(dict.fromkeys(f.reason for f in found))
    return Check(state="unverified" if reasons else "verified", reasons=reasons)


def findings(
    item: NoteItem, *, words: Mapping[str, Spoken], roster: Iterable[str], zone: str
) -> list[Finding]:
    """All that speaks against an item; empty when it is verified."""
    people = tuple(roster)
    cited, found = _evidence(item, words)
    if not item.evidence:
        found.append(Finding("no_evidence", "cites nothing that was said"))
    found += _owner(item, cited, people)
    due = _due(item, cited, zone)
    found += due
    found += _dates(item, cited, zone, due_holds=not due)
    found += _names(item, cited, people)
    found += _numbers(item, cited, people, zone)
    found += _addresses(item, cited)
    found += _unrelated(item, cited, people)
    return found


def refreshed(item: NoteItem, words: Mapping[str, Spoken]) -> NoteItem:
    """The item with evidence at the latest revision wherever its quote still stands there."""
    return msgspec.structs.replace(
        item, evidence=tuple(_refreshed(e, words.get(e.ref)) for e in item.evidence)
    )


def has_lost_its_words(item: NoteItem, words: Mapping[str, Spoken]) -> bool:
    """Whether everything the item cites was deleted."""
    return bool(item.evidence) and all(
        (line := words.get(e.ref)) is not None and line.deleted for e in item.evidence
    )


def citing(items: Iterable[NoteItem], refs: Iterable[str]) -> list[NoteItem]:
    """Items that cite any of ``refs``."""
    wanted = set(refs)
    return [item for item in items if any(e.ref in wanted for e in item.evidence)]


def _refreshed(evidence: Evidence, line: Spoken | None) -> Evidence:
    if line is None or line.deleted or line.revision == evidence.revision:
        return evidence
    span = locate(evidence.quote, line.text) if evidence.quote else (0, len(line.text))
    if span is None:
        return evidence
    return cite(line, line.text[slice(*span)])


def cite(line: Spoken, quote: str) -> Evidence:
    """Evidence for ``quote``, words of ``line`` as they stand there."""
    start_ms, end_ms = span_of(line)
    return Evidence(
        ref=line.id,
        revision=line.revision,
        quote=quote,
        start_ms=start_ms,
        end_ms=end_ms,
        speaker=line.speaker,
    )


# -- evidence -----------------------------------------------------------------------------


def _evidence(item: NoteItem, words: Mapping[str, Spoken]) -> tuple[list[_Cited], list[Finding]]:
    cited: list[_Cited] = []
    found: list[Finding] = []
    for evidence in item.evidence:
        line = words.get(evidence.ref)
        if line is None:
            found.append(Finding("unknown_ref", f"cites {evidence.ref}, which does not exist"))
        elif line.deleted:
            found.append(Finding("deleted_ref", f"{evidence.ref} was deleted"))
        elif isinstance(line, Utterance) and line.role not in SHOWN:
            found.append(
                Finding("hidden_ref", f"cites {evidence.ref}, which is not in the transcript")
            )
        else:
            cited.append(_Cited(evidence, line))
            found += _quote(evidence, line)
    return cited, found


def _quote(evidence: Evidence, line: Spoken) -> list[Finding]:
    found: list[Finding] = []
    stands = not evidence.quote or locate(evidence.quote, line.text) is not None
    if evidence.revision != line.revision:
        found.append(Finding("revised_ref", f"{evidence.ref} was corrected after it was cited"))
    if not stands:
        found.append(
            Finding("quote", f"the words {_cut(evidence.quote)} are not in {evidence.ref}")
        )
    if evidence.speaker != line.speaker:
        said_by = line.speaker or "somebody without a name"
        found.append(Finding("speaker", f"{evidence.ref} was said by {said_by}"))
    return found


def _cut(quote: str) -> str:
    quote = " ".join(quote.split())
    return f'"{quote}"' if len(quote) <= _SHOWN_QUOTE else f'"{quote[:_SHOWN_QUOTE]}..."'


def _texts(cited: Sequence[_Cited]) -> list[str]:
    """What was said, line by line, and once more as each voice said it in one piece: engines cut
    sentences in two."""
    lines = list({c.line.id: c for c in cited}.values())
    lines.sort(key=lambda c: c.said_ms)
    by_voice: dict[str | None, list[str]] = {}
    for c in lines:
        by_voice.setdefault(c.line.participant or c.line.speaker, []).append(c.line.text)
    joined = [" ".join(texts) for texts in by_voice.values() if len(texts) > 1]
    return [c.line.text for c in lines] + joined


# -- people -------------------------------------------------------------------------------


def _owner(item: NoteItem, cited: Sequence[_Cited], people: Sequence[str]) -> list[Finding]:
    if item.owner_candidates:
        names = " or ".join(item.owner_candidates)
        return [Finding("owner_ambiguous", f"could be {names}: the name fits both")]
    if item.owner is None:
        return []
    owner = item.owner
    known = resolve_owner(owner, people)
    if owner not in people and (known is None or not known.on_roster):
        return _stranger(owner, cited)
    if any(_is_named(owner, c.line.text) for c in cited):
        return []
    spoken = [c for c in cited if c.line.speaker and same_person(owner, c.line.speaker)]
    if not spoken:
        return [Finding("owner", f"{owner} neither says the cited words nor is named in them")]
    others = [p for p in people if not same_person(p, owner)]
    if all(_is_about_another(c.line.text, others) for c in spoken):
        return [Finding("owner", f"{owner} says the cited words, but about somebody else")]
    return []


def _stranger(owner: str, cited: Sequence[_Cited]) -> list[Finding]:
    """Somebody who is not in the meeting. A name that was typed cannot be misheard."""
    naming = [c.line for c in cited if _is_named(owner, c.line.text)]
    if not naming:
        return [Finding("owner", f"{owner} is neither in the meeting nor in the cited words")]
    if any(not isinstance(line, Utterance) for line in naming):
        return []
    return [
        Finding(
            "owner_as_heard",
            f"nobody called {owner} is in the meeting; the name is as in the transcript",
        )
    ]


def _is_named(person: str, text: str) -> bool:
    wanted = call_names([person])
    return any(fold(word) in wanted for word in _WORD.findall(text))


def _is_about_another(text: str, others: Sequence[str]) -> bool:
    return not _FIRST_PERSON.search(text) and any(_is_named(p, text) for p in others)


def _names(item: NoteItem, cited: Sequence[_Cited], people: Sequence[str]) -> list[Finding]:
    """People of the meeting whom the item's text brings in and the cited words do not."""
    if item.kind == "overview":
        return []
    involved = {c.line.speaker for c in cited if c.line.speaker} | set(item.owner_candidates)
    if item.owner:
        involved.add(item.owner)
    words = {w for c in cited for w in _WORD.findall(c.line.text)}
    # "will" in the cited words does not name Will.
    allowed = call_names(involved) | {
        fold(w) for w in words if w[0].isupper() or fold(w) not in _ALSO_WORDS
    }
    called = call_names(people)
    found: list[Finding] = []
    for text in (item.text, item.answer or ""):
        for match in _WORD.finditer(text):
            word = fold(match.group())
            if word not in called or word in allowed or not match.group()[0].isupper():
                continue
            starts = not text[: match.start()].strip()
            if word in _ALSO_WORDS and starts and not _DOES.match(text, match.end()):
                continue
            reason = f"{match.group()} neither says the cited words nor is named in them"
            found.append(Finding("name", reason))
    return found


# -- dates and numbers --------------------------------------------------------------------


def _due(item: NoteItem, cited: Sequence[_Cited], zone: str) -> list[Finding]:
    found: list[Finding] = []
    texts = _texts(cited)
    if item.due_text and not any(locate(item.due_text, text) for text in texts):
        found.append(Finding("due", f"the words {_cut(item.due_text)} are not in the cited lines"))
    if item.due is not None and item.due not in _days_due(item, cited, zone):
        found.append(Finding("due", f"the date {item.due} does not follow from the cited words"))
    return found


def _days_due(item: NoteItem, cited: Sequence[_Cited], zone: str) -> set[str]:
    """Every deadline that can be read out of the cited words, as ISO dates."""
    days: set[str] = set()
    last_said = max((c.said_ms for c in cited), default=0)
    for c in cited:
        text = c.line.text
        span = locate(c.evidence.quote, text) if c.evidence.quote else None
        pieces = [text, c.evidence.quote if span else ""]
        if span:
            pieces += [text[a:b] for a, b in sentences(text) if a < span[1] and span[0] < b]
        if item.due_text and locate(item.due_text, text):
            pieces.append(item.due_text)
            pieces += [text[a:b] for a, b in sentences(text) if locate(item.due_text, text[a:b])]
        days |= {due.date for p in pieces if p and (due := resolve_due(p, c.said_ms, zone))}
    quotes = " ".join(c.evidence.quote or c.line.text for c in cited)
    for joined in (*_texts(cited)[len({c.line.id for c in cited}) :], quotes):
        if due := resolve_due(joined, last_said, zone):
            days.add(due.date)
    return days


def _day(said_ms: int, zone: str) -> date:
    return datetime.fromtimestamp(said_ms / 1000, tz=UTC).astimezone(ZoneInfo(zone)).date()


def _days_said(cited: Sequence[_Cited], zone: str) -> set[date | None]:
    days: set[date | None] = set()
    for c in cited:
        today = _day(c.said_ms, zone)
        days |= {m.day for text in _texts([c]) for m in mentions(text, today)}
    if cited:
        today = _day(max(c.said_ms for c in cited), zone)
        days |= {m.day for text in _texts(cited) for m in mentions(text, today)}
    return days


def _dates(item: NoteItem, cited: Sequence[_Cited], zone: str, *, due_holds: bool) -> list[Finding]:
    """Dates in the item's own text."""
    if not cited:
        return []
    days = _days_said(cited, zone)
    if item.due and due_holds:
        days.add(date.fromisoformat(item.due))
    texts = _texts(cited)
    return [
        Finding("date", f"{_cut(words)} is not a date of the cited words")
        for words, day in _dates_of(item, cited, zone)
        if not (day is not None and day in days) and not any(locate(words, t) for t in texts)
    ]


def _dates_of(item: NoteItem, cited: Sequence[_Cited], zone: str) -> list[tuple[str, date | None]]:
    today = _day(min(c.said_ms for c in cited), zone)
    return [
        (text[m.start : m.end], m.day)
        for text in (item.text, item.answer or "")
        for m in mentions(text, today)
    ]


def _numbers(
    item: NoteItem, cited: Sequence[_Cited], people: Sequence[str], zone: str
) -> list[Finding]:
    text = " \n".join(filter(None, (item.text, item.answer)))
    for person in sorted(people, key=len, reverse=True):
        if any(c.isdigit() for c in person):
            text = text.replace(person, " \n ")
    if cited:  # dates are judged as dates
        for words, day in _dates_of(item, cited, zone):
            if day is not None:
                text = text.replace(words, " \n ")
    said = values_said(_texts(cited))
    return [
        Finding("number", f"the number {number} is not in the cited words")
        for number in unsaid(text, said)
    ]


# -- the line as a whole ------------------------------------------------------------------


def _addresses(item: NoteItem, cited: Sequence[_Cited]) -> list[Finding]:
    """Nobody may be sent to a place that nobody named."""
    text = " \n".join(filter(None, (item.text, item.answer)))
    return [
        Finding("address", f"the address {_cut(address)} is not in the cited words")
        for address in unsaid_addresses(text, _texts(cited))
    ]


def _unrelated(item: NoteItem, cited: Sequence[_Cited], people: Sequence[str]) -> list[Finding]:
    """A line that has nothing in common with what it cites; names and numbers are judged above."""
    if not cited:
        return []
    texts = _texts(cited)
    involved = [*people, *(c.line.speaker for c in cited if c.line.speaker)]
    names = {stem(name) for name in call_names(involved)}
    told = {word for word in content(fold(item.text)) if not word[0].isdigit()} - names
    if len(told) < _TELLING or told & {word for text in texts for word in content(fold(text))}:
        return []
    if values_said([item.text]) & values_said(texts):
        return []
    return [Finding("unrelated", "shares no word with what it cites")]
