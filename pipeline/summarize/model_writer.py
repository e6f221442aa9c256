"""Notes written by a language model: what it is shown, in which portions, what it may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from pipeline.base.clock import Clock
from pipeline.base.ids import Ids
from pipeline.model.events import LlmCalled
from pipeline.model.notes import Author, Notes, Op, Patch, apply
from pipeline.model.state import MeetingState
from pipeline.openai_client.answer import Answer, Attempt, Question
from pipeline.openai_client.errors import CallFailed
from pipeline.openai_client.settings import LlmSettings
from pipeline.summarize import digest
from pipeline.summarize.model_form import Changes, Ground, Mapped, read_changes, to_ops
from pipeline.summarize.prompts import Prompt, Prompts
from pipeline.summarize.reading import roster_of, words_of, zone_of
from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.skipping import skipped
from pipeline.summarize.tokens import TokenEstimate
from pipeline.summarize.writer import Proposal, Skipped, Spoken, Window, WriterFailed, span_of

T = TypeVar("T")

_TOO_MUCH = frozenset({"truncated", "context_exceeded"})
_ABOUT_THE_WORDS = _TOO_MUCH | {"refused", "bad_output", "too_long"}
_MOST_CALLS = 40
"""A pass that needs more calls than this is cut short, and says so."""
_FEWEST_ITEMS = 10


class Client(Protocol):
    """What is needed of ``openai_client.client.ChatClient``."""

    @property
    def settings(self) -> LlmSettings: ...

    @property
    def model(self) -> str: ...

    async def ask(self, question: Question, accept: Callable[[Any], T]) -> Answer[T]: ...


class ModelWriter:
    """One a meeting; the client and the prompts are shared.

    Live, it is shown the new lines and a digest of the items; at the end, the whole transcript,
    in parts when it does not fit ``llm.context_tokens``. Only lines are ever cut into parts: the
    instructions are always whole.
    """

    def __init__(
        self,
        client: Client,
        prompts: Prompts,
        settings: SummarizeSettings,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._client = client
        self._prompts = {"live": prompts.get("rolling"), "final": prompts.get("final")}
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._tokens = TokenEstimate()
        self._unreported: list[LlmCalled] = []

    @property
    def author(self) -> Author:
        """Always ``model``."""
        return "model"

    async def propose(self, window: Window) -> Proposal:
        """Operations for a window. Raises WriterFailed, with the calls that were made."""
        work = _Pass(window, self._prompts[window.phase])
        work.calls, self._unreported = self._unreported, []
        try:
            await self._all(work)
        except asyncio.CancelledError:
            self._unreported = work.calls  # broken off, but made: they go with the next pass
            raise
        return Proposal(ops=tuple(work.ops), calls=tuple(work.calls), skipped=tuple(work.skipped))

    async def _all(self, work: _Pass) -> None:
        parts = self._parts(work)
        for number, lines in enumerate(parts, 1):
            await self._part(work, lines, _name(number, len(parts)))
        if work.skipped and not work.has_read:
            assert work.error is not None
            raise _given_up(work.error, work)

    async def _part(self, work: _Pass, lines: Sequence[Spoken], name: str) -> None:
        """Ask about some lines; in halves if they or the answer turn out too long."""
        if len(work.calls) >= _MOST_CALLS:
            work.skip(lines, f"{name}: too many calls")
            return
        try:
            await self._ask(work, lines, name)
        except CallFailed as error:
            work.error = error
            if error.kind in _TOO_MUCH and len(lines) > 1:
                middle = len(lines) // 2
                await self._part(work, lines[:middle], f"the first half of {name}")
                await self._part(work, lines[middle:], f"the second half of {name}")
            elif error.kind in _ABOUT_THE_WORDS and work.window.phase == "final":
                work.skip(lines, f"{name}: {error}")
            else:
                raise _given_up(error, work) from error

    async def _ask(self, work: _Pass, lines: Sequence[Spoken], name: str) -> None:
        question = self._question(work, lines, name)
        started = self._clock.monotonic()
        try:
            answer = await self._client.ask(question, read_changes)
        except CallFailed as error:
            self._note(work, error.attempts, "")
            raise
        except asyncio.CancelledError:
            seconds = self._clock.monotonic() - started
            cut = Attempt(
                outcome="cancelled", model=self._client.model, milliseconds=round(seconds * 1000)
            )
            self._note(work, [cut], "the meeting ended")
            raise
        mapped = work.take(answer.value)
        self._note(work, answer.attempts, _summary(answer.value, mapped))

    # -- what the model is shown ------------------------------------------------------------

    def _question(self, work: _Pass, lines: Sequence[Spoken], name: str) -> Question:
        prompt = work.prompt
        return Question(
            name=prompt.name,
            messages=prompt.render(**self._shown(work, lines, name)),
            schema=prompt.schema,
            max_output_tokens=self._output_tokens(prompt),
            temperature=prompt.parameters.temperature,
        )

    def _shown(self, work: _Pass, lines: Sequence[Spoken], name: str) -> dict[str, str]:
        started_ms = work.started_ms
        spoken = "\n".join(digest.spoken_line(line, started_ms) for line in lines)
        opened = work.window.state.opened
        shown = {
            "schema": msgspec.json.encode(work.prompt.schema).decode(),
            "glossary": "\n".join(
                digest.json_line({"term": term}) for term in self._settings.glossary
            ),
            "roster": "\n".join(digest.roster_lines(work.roster)),
            "meeting": digest.meeting_line(opened.title if opened else None, started_ms, work.zone),
            "items": "\n".join(digest.items(work.notes, work.digest_items or self._limit)),
        }
        if work.window.phase == "final":
            return shown | {"transcript": spoken, "part": name}
        before = work.before(lines, self._settings.context_lines)
        context = "\n".join(digest.spoken_line(line, started_ms) for line in before)
        return shown | {"before": context, "new": spoken}

    @property
    def _limit(self) -> int:
        return self._settings.digest_items

    def _output_tokens(self, prompt: Prompt) -> int:
        asked = prompt.parameters.max_output_tokens
        most = self._client.settings.max_output_tokens
        return most if asked is None else min(asked, most)

    def _parts(self, work: _Pass) -> list[list[Spoken]]:
        """The lines in as few portions as fit the model beside everything else."""
        budget = self._budget(work)
        parts: list[list[Spoken]] = [[]]
        used = 0
        for line in work.window.new:
            cost = self._tokens.of(digest.spoken_line(line, work.started_ms)) + 1
            if parts[-1] and used + cost > budget:
                parts.append([])
                used = 0
            parts[-1].append(line)
            used += cost
        return parts if parts[0] else []

    def _budget(self, work: _Pass) -> int:
        """Tokens left for lines; when the items leave too little, fewer of them are shown."""
        room = self._client.settings.context_tokens - self._output_tokens(work.prompt)
        work.digest_items = self._limit
        while True:
            messages = self._question(work, (), _name(1, 1)).messages
            left = room - sum(self._tokens.of(m.content) for m in messages)
            if left >= room // 4 or work.digest_items <= _FEWEST_ITEMS:
                return max(left, 1)
            work.digest_items = max(_FEWEST_ITEMS, work.digest_items // 2)

    # -- the record -------------------------------------------------------------------------

    def _note(self, work: _Pass, attempts: Sequence[Attempt], detail: str) -> None:
        for number, attempt in enumerate(attempts, 1):
            self._tokens.learn(attempt.bytes_in, attempt.usage.tokens_in)
            work.calls.append(
                LlmCalled(
                    call=self._ids.new(),
                    prompt=work.prompt.name,
                    prompt_hash=work.prompt.hash,
                    model=attempt.model,
                    outcome=attempt.outcome,
                    milliseconds=attempt.milliseconds,
                    tokens_in=attempt.usage.tokens_in,
                    tokens_cached=attempt.usage.tokens_cached,
                    tokens_out=attempt.usage.tokens_out,
                    detail=detail if number == len(attempts) else "",
                )
            )


class _Pass:
    """One window on its way through the model: what was proposed so far, as the notes it makes."""

    def __init__(self, window: Window, prompt: Prompt) -> None:
        self.window = window
        self.prompt = prompt
        self.notes: Notes = window.state.notes
        self.ops: list[Op] = []
        self.calls: list[LlmCalled] = []
        self.skipped: list[Skipped] = []
        self.error: CallFailed | None = None
        self.has_read = False
        self.digest_items = 0
        state: MeetingState = window.state
        self._words = words_of(state)
        self.roster = roster_of(state)
        self.zone = zone_of(state)
        self.started_ms = state.opened.started_ms if state.opened else 0

    def take(self, changes: Changes) -> Mapped:
        """Take an answer in, so that the next part sees its items."""
        self.has_read = True
        ground = Ground(notes=self.notes, words=self._words, roster=self.roster, zone=self.zone)
        mapped = to_ops(changes, ground)
        self.ops += mapped.ops
        draft = Patch(
            id=f"draft-{len(self.ops)}",
            at_ms=self.window.now_ms,
            author="model",
            ops=mapped.ops,
            phase=self.window.phase,
        )
        self.notes = apply(self.notes, draft)
        return mapped

    def skip(self, lines: Sequence[Spoken], detail: str) -> None:
        """Leave lines out, and say so."""
        self.skipped.append(skipped(lines, detail))

    def before(self, lines: Sequence[Spoken], count: int) -> list[Spoken]:
        """The last lines before some, for what they refer to ("I will do that")."""
        if not lines or count == 0:
            return []
        first = min(span_of(line)[0] for line in lines)
        ids = {line.id for line in self.window.new}
        state = self.window.state
        earlier: list[Spoken] = [*state.transcript(), *state.open_chat()]
        earlier = [s for s in earlier if s.id not in ids and span_of(s)[0] <= first]
        return sorted(earlier, key=span_of)[-count:]


def _given_up(error: CallFailed, work: _Pass) -> WriterFailed:
    return WriterFailed(
        str(error),
        kind=error.kind,
        retryable=error.retryable,
        calls=tuple(work.calls),
        retry_after_s=error.retry_after_s,
    )


def _name(number: int, count: int) -> str:
    return "complete" if count == 1 else f"part {number} of {count}"


def _summary(changes: Changes, mapped: Mapped) -> str:
    """What an answer brought, in counts, without a word of it."""
    made = [f"{name} {len(entries)}" for name, entries in _entries(changes) if entries]
    lost = [f"{what} {count}" for what, count in sorted(mapped.dropped.items())]
    return "; ".join([", ".join(made) or "no change", *lost])


def _entries(changes: Changes) -> list[tuple[str, Sequence[object]]]:
    return [(f.name, getattr(changes, f.name)) for f in msgspec.structs.fields(Changes)]
