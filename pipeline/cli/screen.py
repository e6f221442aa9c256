"""The demo's terminal: what is said and noted while it happens.

On a terminal a live display; elsewhere (a pipe, CI) plain lines as things happen. Everything shown
is untrusted text and goes through ``rich.text.Text``, never through markup.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline.export.certainty import doubt_line, named
from pipeline.export.escape import clean
from pipeline.export.standing import NEVER
from pipeline.model import events as ev
from pipeline.model.live import Partial
from pipeline.model.notes import NoteItem
from pipeline.model.speech import SHOWN, Utterance
from pipeline.model.state import MeetingState

MARKS = {
    "decision": ("decided", "green"),
    "action": ("to do", "cyan"),
    "question": ("asked", "magenta"),
    "risk": ("risk", "red"),
    "point": ("said", "white"),
    "topic": ("topic", "blue"),
    "overview": ("overview", "white"),
}
QUIET = ("point", "topic", "overview")
"""Kinds that are not told one by one."""
LAST_UTTERANCES = 6
LAST_ITEMS = 14


def item_line(item: NoteItem) -> Text:
    """One note item as one line: kind, text, owner, due, and what is not certain."""
    word, colour = MARKS[item.kind]
    gone = item.status in ("retracted", "rejected")
    line = Text(f"{word:>8} ", style=f"bold {colour}")
    line.append(clean(item.text), style="strike dim" if gone else "")
    who = item.owner or " or ".join(item.owner_candidates)
    if who:
        line.append(f"  {clean(who)}", style="bold")
    if item.due:
        line.append(f"  by {item.due}", style="bold")
    if item.status not in ("open",):
        line.append(f"  {item.status}", style="yellow")
    if item.answer:
        line.append(f"  answer: {clean(item.answer)}", style="green")
    if item.check.state == "unverified":
        line.append("  unverified", style="red")
    if item.evidence:
        line.append(
            "  [" + ", ".join(dict.fromkeys(e.ref for e in item.evidence)) + "]", style="dim"
        )
    return line


class Screen:
    """Shows one meeting. ``take`` every committed event, ``draw`` now and then."""

    def __init__(self, console: Console, page: str | None) -> None:
        self._console = console
        self._page = page
        self._live: Live | None = None
        self._utterances: deque[Text] = deque(maxlen=LAST_UTTERANCES)
        self._seen: dict[str, str] = {}
        self.state: MeetingState | None = None
        self._settled: set[str] = set()  # files whose words are in the log
        self.saying: Sequence[Partial] = ()
        self.speaker: str | None = None
        self.clock_ms: int | None = None

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live = Live(
                self._render(), console=self._console, refresh_per_second=8, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def is_live(self) -> bool:
        """Whether it shows what is being said; plain lines are only printed once they are final."""
        return self._live is not None

    def take(self, event: ev.Event) -> None:
        """Fold one event in and, without a live display, print what is new."""
        if self.state is None:
            self.state = MeetingState(event.meeting)
        self.state.apply(event)
        self._settle(event.body)
        match event.body:
            case ev.UtteranceSaid(utterance=u) if u.role in SHOWN and not u.deleted:
                line = self._said(u)
                line.append(clean(u.text))
                if u.doubt:
                    line.append(f"  ({doubt_line(u)})", style="yellow")
                self._utterances.append(line)
                self._say(line)
            case ev.MessageSaid(message=m) if not m.deleted:
                line = Text(f"{self._time(m.at_ms)} ", style="dim")
                line.append(f"{clean(m.speaker or 'Unknown')} (chat): ", style="bold")
                line.append(clean(m.text))
                self._utterances.append(line)
                self._say(line)
            case ev.GapFound(gap=gap):
                until = "" if gap.cause == NEVER else f"-{self._time(gap.to_ms)}"
                on = " on" if gap.cause == NEVER else ""
                text = f"missing {self._time(gap.from_ms)}{until}{on}: {clean(gap.detail)}"
                self._utterances.append(Text(text, style="yellow"))
                self._say(Text(text, style="yellow"))
            case ev.StreamChanged(detail=detail, state=state) if state != "live":
                self._say(Text(clean(f"{state}: {detail}" if detail else state), style="yellow"))
            case ev.StageChanged(stage=stage, state=health, detail=detail):
                self._say(Text(clean(f"{stage} {health}: {detail}"), style="yellow"))
            case ev.NotesPatched():
                for item in self.state.notes.items.values():
                    self._note(item)
            case _:
                pass
        self.draw()

    def _note(self, item: NoteItem) -> None:
        """Say what became of an item, if a reader would see the difference: + - or ~."""
        if item.kind in QUIET:
            return
        line = item_line(item)
        old = self._seen.get(item.id)
        self._seen[item.id] = line.plain
        gone = item.merged_into is not None or item.status in ("rejected", "retracted")
        if old == line.plain or (old is None and gone):
            return
        mark = "-" if gone else "+" if old is None else "~"
        self._say(Text(f"    {mark} ", style="bold").append_text(line))

    def _said(self, spoken: Utterance | Partial) -> Text:
        """Time and speaker of a line."""
        line = Text().append(f"{self._time(spoken.start_ms)} ", style="dim")
        return line.append(f"{named(spoken)}: ", style="bold")

    def _settle(self, body: ev.Body) -> None:
        """Words that are in the log are not being said any more."""
        segment = None
        if isinstance(body, ev.UtteranceSaid):
            segment = body.utterance.segment
        elif isinstance(body, ev.SegmentClosed):
            segment = body.segment
        known = self.state.segments.get(segment or "") if self.state else None
        if known is not None:
            self._settled.add(known.file)

    def _partials(self) -> list[Text]:
        """What is being said; what may still change is dim."""
        lines = []
        for partial in self.saying:
            if partial.file not in self._settled:
                line = self._said(partial).append(clean(partial.committed))
                lines.append(line.append(f" {clean(partial.tentative)}", style="dim italic"))
        return lines

    def draw(self) -> None:
        """Refresh the live display."""
        if self._live is not None:
            self._live.update(self._render())

    def _say(self, line: Text) -> None:
        if self._live is None:
            self._console.print(line, soft_wrap=True)

    def _time(self, ms: int) -> str:
        zone = self.state.opened.zone if self.state and self.state.opened else "UTC"
        return datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).strftime("%H:%M:%S")

    def _render(self) -> RenderableType:
        state = self.state
        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        title = (
            state.opened.title if state and state.opened else None
        ) or "waiting for the meeting"
        clock = self._time(self.clock_ms) if self.clock_ms is not None else ""
        speaking = f"{clean(self.speaker)} is speaking" if self.speaker else ""
        head.add_row(Text(clean(title), style="bold"), Text(f"{clock}  {speaking}", style="cyan"))
        if self._page:
            head.add_row(Text(self._page, style="underline blue"), Text(""))
        items = (
            [] if state is None else [item for item in state.notes.live() if item.kind not in QUIET]
        )
        notes: list[RenderableType] = [item_line(item) for item in items[-LAST_ITEMS:]]
        extra = 0 if state is None else sum(i.kind == "point" for i in state.notes.live())
        if extra:
            word = "point" if extra == 1 else "points"
            notes.append(Text(f"         and {extra} {word}", style="dim"))
        missing: list[RenderableType] = (
            []
            if state is None
            else [
                Text(
                    f"missing {self._time(g.from_ms)}-{self._time(g.to_ms)}: {clean(g.detail)}",
                    style="yellow",
                )
                for g in state.missing()
            ]
        )
        words = [*self._utterances, *self._partials()]
        return Group(
            head,
            Panel(Group(*words) if words else Text("..."), title="said"),
            Panel(Group(*notes, *missing) if notes or missing else Text("..."), title="notes"),
        )
