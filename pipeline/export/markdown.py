"""Markdown for people: readable in Obsidian, on GitHub and in a terminal.

A line of the notes links to the words it stands on by ``[10:02:05 Anna](#^u7)``. Obsidian follows
such a link to the block that ends in ``^u7``; everything else to the element with that id, which
is why each line of the transcript carries both. What one speaker says in a row has the name once;
each part stays a block of its own, for Obsidian finds no id inside of one. Pictures of shared
screens link to files in the meeting's ``images`` folder. Front matter uses the fields of the
OpenOats meeting format where it has them; ours are ``x_*``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from pipeline.export.beside import Shown, happening_line, picture_line
from pipeline.export.certainty import doubt_line, named, pieces
from pipeline.export.chat import answered, audience, files_line, reactions_line
from pipeline.export.escape import clean, inline, prose, quoted, web_addresses
from pipeline.export.standing import (
    UNKNOWN,
    UNTITLED,
    gap_line,
    notes_label,
    standing,
    who,
    words_from,
)
from pipeline.export.timeline import timeline
from pipeline.export.times import Times, lasting, weekday
from pipeline.model.happening import Happening, Image
from pipeline.model.notes import Kind, NoteItem
from pipeline.model.speech import SHOWN, Gap, Message, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.turns import continuing

SECTIONS: tuple[tuple[Kind, str], ...] = (
    ("overview", "Overview"),
    ("decision", "Decisions"),
    ("action", "Actions"),
    ("question", "Questions"),
    ("risk", "Risks"),
    ("topic", "Topics"),
    ("point", "Points"),
)
_SEPARATOR = " \u2014 "


def render(state: MeetingState, images: str = "images") -> str:
    """The whole meeting. ``images`` is the path of its pictures as seen from where the text will
    be. Raises ValueError before the meeting's first event.
    """
    view = state.view()
    times = Times(view.zone, view.started_ms)
    parts = [
        _front_matter(state, times),
        f"# {inline(view.title or UNTITLED)}",
        _subtitle(state, times),
        *_warnings(state, times),
        *_notes(state, times),
        "## Transcript",
        *_transcript(state, times, images),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(state: MeetingState, times: Times) -> str:
    view = state.view()
    items = state.notes.live()
    minutes = max(1, round((_end(state) - view.started_ms) / 60_000))
    lines = [
        f"title: {quoted(view.title or UNTITLED)}",
        f"date: {times.iso(view.started_ms)}",
        f"duration: {minutes}",
        *_array("participants", people(state)),
        *_language(state),
        f"engine: {view.engine}",
        f"app: {'files' if view.product == 'file' else 'zoom'}",
        "x_format: rtms-notes/markdown/1",
        f"x_id: {quoted(view.id)}",
        f"x_product: {view.product}",
        f"x_state: {view.state}",
        f"x_start: {times.iso(view.started_ms)}",
        *([f"x_end: {times.iso(view.ended_ms)}"] if view.ended_ms is not None else []),
        f"x_zone: {quoted(times.zone)}",
        f"x_words: {quoted(words_from(state))}",
        f"x_notes: {quoted(notes_label(state))}",
        f"x_notes_final: {str(state.final and view.state == 'finished').lower()}",
        *_array("x_gaps", [gap_line(gap, state, times) for gap in state.missing()]),
        f"x_decisions: {_number(items, 'decision')}",
        f"x_actions_open: {_number(items, 'action', 'open', 'candidate')}",
        f"x_actions_done: {_number(items, 'action', 'done')}",
        f"x_questions_open: {_number(items, 'question', 'open', 'candidate')}",
        f"x_unverified: {sum(item.check.state == 'unverified' for item in items)}",
    ]
    return "\n".join(["---", *lines, "---"])


def people(state: MeetingState) -> list[str]:
    """Names in order of joining, then of speakers who never joined; each once."""
    joined = sorted(
        state.participants.values(), key=lambda p: (p.joined_ms is None, p.joined_ms or 0)
    )
    said = [u.speaker for u in state.transcript()] + [m.speaker for m in state.chat()]
    return list(dict.fromkeys(name for name in [*(p.name for p in joined), *said] if name))


def _array(name: str, values: Sequence[str]) -> list[str]:
    if not values:
        return [f"{name}: []"]
    return [f"{name}:", *(f"  - {quoted(value)}" for value in values)]


def _language(state: MeetingState) -> list[str]:
    """The language of most utterances that have one."""
    tags = [u.language for u in state.transcript() if u.language]
    return [f"language: {quoted(max(dict.fromkeys(tags), key=tags.count))}"] if tags else []


def _number(items: Iterable[NoteItem], kind: Kind, *statuses: str) -> int:
    """Items of a kind in one of ``statuses`` (none given: all that still hold)."""
    return sum(
        item.kind == kind and (item.status in statuses if statuses else not _withdrawn(item))
        for item in items
    )


def _end(state: MeetingState) -> int:
    """When the meeting ended, or the last thing known of it."""
    if state.ended is not None:
        return state.ended.at_ms
    ends = [u.end_ms for u in state.transcript()] + [m.at_ms for m in state.chat()]
    return max([*ends, state.view().started_ms])


def _subtitle(state: MeetingState, times: Times) -> str:
    view = state.view()
    end = _end(state)
    until = "" if view.state == "live" else f"-{times.clock(end)}"
    facts = [
        f"{times.day(view.started_ms)}, {times.clock(view.started_ms)}{until} ({times.zone})",
        lasting(end - view.started_ms) + (" so far" if view.state == "live" else ""),
        ", ".join(inline(name) for name in people(state)) or "nobody is known by name",
        f"words from {words_from(state)}",
    ]
    return _SEPARATOR.join(facts)


def _warnings(state: MeetingState, times: Times) -> list[str]:
    gaps = [f"> **Missing:** {inline(gap_line(gap, state, times))}" for gap in state.missing()]
    lines = [f"> {inline(line)}" for line in standing(state, times)]
    return ["\n>\n".join([*gaps, *lines])] if gaps or lines else []


def _notes(state: MeetingState, times: Times) -> list[str]:
    items = state.notes.live()
    shown = Shown(state)
    parts: list[str] = []
    for kind, heading in SECTIONS:
        here = [item for item in items if item.kind == kind]
        lines = [_item(item, state, times, shown) for item in here if not _withdrawn(item)]
        withdrawn = [_item(item, state, times, shown) for item in here if _withdrawn(item)]
        if withdrawn:
            lines += ["- Withdrawn:", *("  " + line for line in withdrawn)]
        if lines:
            parts += [f"## {heading}", "\n".join(lines)]
    return parts or ["Nothing has been noted."]


def _withdrawn(item: NoteItem) -> bool:
    return item.status == "retracted"


def _item(item: NoteItem, state: MeetingState, times: Times, shown: Shown) -> str:
    known = _known_addresses(item, state)
    text = prose(item.text, known)
    box = ""
    if _withdrawn(item):
        text = f"~~{text}~~" if text else ""
    elif item.kind == "action":
        box = "[x] " if item.status == "done" else "[ ] "
    facts = [text, *_facts(item, times, known)]
    links = ", ".join([*_links(item, state, times), *_screen(item, shown, times)])
    facts.append(links or "*no words cited*")
    if item.check.state == "unverified":
        reasons = "; ".join(inline(reason) for reason in item.check.reasons) or "no reason given"
        facts.append(f"**unverified:** {reasons}")
    if item.locked or item.author == "person":
        facts.append("*edited by a person*")
    return f"- {box}{_SEPARATOR.join(facts)}"


def _known_addresses(item: NoteItem, state: MeetingState) -> frozenset[str] | None:
    """Web addresses an item may link to: those in the words it cites. People may link anywhere."""
    if item.locked or item.author == "person":
        return None
    found: set[str] = set()
    for ref in {e.ref for e in item.evidence}:
        word = state.utterances.get(ref) or state.messages.get(ref)
        if word is not None and not word.deleted:
            found |= web_addresses(word.text)
    return frozenset(found)


def _facts(item: NoteItem, times: Times, known: frozenset[str] | None) -> list[str]:
    facts = []
    if item.span is not None:
        facts.append(f"{times.clock(item.span[0])}-{times.clock(item.span[1])}")
    if item.kind == "action":
        owner = f"**{inline(who(item))}**" if item.owner else f"*{inline(who(item))}*"
        facts.append(owner + (f", due {due}" if (due := _due(item)) else ""))
    if item.kind == "question":
        answer = f": {prose(item.answer, known)}" if item.answer else ""
        facts.append(f"**answered**{answer}" if item.status == "answered" else "*open*")
    if item.status == "candidate":
        facts.append("*a candidate*")
    return facts


def _due(item: NoteItem) -> str:
    said = f'"{inline(item.due_text)}"' if item.due_text else ""
    if not item.due:
        return said
    day = weekday(item.due)
    date = f"{day} {inline(item.due)}".strip()
    return f"{date} ({said})" if said else date


def _links(item: NoteItem, state: MeetingState, times: Times) -> list[str]:
    """One link for each utterance or message cited, in the order of citing."""
    links = []
    for ref, cited in {e.ref: e for e in item.evidence}.items():
        word = state.utterances.get(ref) or state.messages.get(ref)
        shown = word is not None and not word.deleted
        if isinstance(word, Utterance):
            shown = shown and word.role in SHOWN
        speaker = word.speaker if word is not None else cited.speaker
        who_said = named(word) if isinstance(word, Utterance) else speaker or UNKNOWN
        label = f"{times.clock(cited.start_ms)} {inline(who_said)}"
        links.append(f"[{label}](#^{ref})" if shown else f"{label} (*words taken back*)")
    return links


def _screen(item: NoteItem, shown: Shown, times: Times) -> list[str]:
    """A link to what was on the shared screen when the first words cited were said."""
    first = min((e.start_ms for e in item.evidence), default=None)
    image = None if first is None else shown.at(first)
    return [] if image is None else [f"[screen {times.clock(image.at_ms)}](#^{image.id})"]


def _transcript(state: MeetingState, times: Times, images: str) -> list[str]:
    lines = []
    entries = timeline(state)
    going_on = continuing(entries)
    for entry in entries:
        match entry:
            case Gap():
                lines.append(f"> **Missing:** {inline(gap_line(entry, state, times))}")
            case Utterance():
                lines.append(_spoken(entry, times, goes_on=entry.id in going_on))
            case Message():
                lines.append(_typed(entry, state, times))
            case Happening():
                lines.append(f"[{times.clock(entry.at_ms)}] *{inline(happening_line(entry))}*")
            case Image():
                lines.append(_picture(entry, times, images))
    if not lines:  # never "nothing was said": nobody here can know that
        live = state.ended is None and state.finished is None
        lines.append("No words yet." if live or state.pending else "No words were heard.")
    return lines


def _spoken(utterance: Utterance, times: Times, *, goes_on: bool) -> str:
    """An utterance: what speaks against it before the text, what was heard otherwise behind it."""
    notes = ["from the other engine"] if utterance.role == "fill" else []
    notes += filter(None, [doubt_line(utterance)])
    corrected = [f'{p.text.strip()} was heard as "{p.heard}"' for p in pieces(utterance) if p.heard]
    return _said(
        utterance.id,
        utterance.start_ms,
        None if goes_on else named(utterance),
        utterance.text,
        _aside(notes),
        times,
        _aside(corrected),
    )


def _aside(notes: Sequence[str]) -> str:
    return f" *({inline(', '.join(notes))})*" if notes else ""


def _typed(message: Message, state: MeetingState, times: Times) -> str:
    """A chat message: whom it was for before the text, files and reactions behind it."""
    note = ", ".join(["chat", *filter(None, [inline(audience(message))])])
    parent = answered(message, state)
    if parent is not None:
        who_asked = inline(parent.speaker or UNKNOWN)
        note += f", answers [{times.clock(parent.at_ms)} {who_asked}](#^{parent.id})"
    beside = [files_line(message), reactions_line(message)]
    tail = "".join(f" *({inline(line)})*" for line in beside if line)
    return _said(
        message.id,
        message.at_ms,
        clean(message.speaker or "") or UNKNOWN,
        message.text,
        f" *({note})*",
        times,
        tail,
    )


def _picture(image: Image, times: Times, images: str) -> str:
    at = times.clock(image.at_ms)
    line = inline(picture_line(image))
    small, full = (quote(f"{images}/{name}", safe="/") for name in (image.thumb, image.file))
    link = f"[![{line}, {at}]({small})]({full})"
    return f'[{at}] *{line}* <a id="^{image.id}"></a>{link} ^{image.id}'


def _said(
    ref: str,
    ms: int,
    speaker: str | None,
    text: str,
    note: str,
    times: Times,
    tail: str = "",
) -> str:
    """A line; without a name it goes on with the one before it."""
    name = "" if speaker is None else f" **{inline(speaker)}:**"
    return f'[{times.clock(ms)}]{name}{note} <a id="^{ref}"></a>{prose(text)}{tail} ^{ref}'
