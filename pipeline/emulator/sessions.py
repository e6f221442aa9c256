"""The sessions of one stream, as its client was told of them (reference section 11.2)."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.rtms.enums import SessionState

_OVER = (SessionState.STOPPED, SessionState.INACTIVE)


class Sessions:
    """Their states. A stream has one, named after it, unless the tape names others."""

    def __init__(self, default: str) -> None:
        self._default = default
        self._states: dict[str, SessionState] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._states or name == self._default

    def state(self, name: str) -> SessionState:
        """INACTIVE before it has begun."""
        return self._states.get(name, SessionState.INACTIVE)

    def items(self) -> Iterable[tuple[str, SessionState]]:
        """Names and states."""
        return self._states.items()

    def live(self) -> list[str]:
        """Names of those that have begun and not stopped."""
        return [name for name, state in self._states.items() if state not in _OVER]

    def begin(self, named: Iterable[str]) -> list[str]:
        """The stream is ready: all that run now, begun again for this client."""
        names = list(named) or self.live() or [self._default]
        for name in names:
            self._states[name] = SessionState.STARTED
        return names

    def put(self, name: str, state: SessionState) -> None:
        """One changes."""
        self._states[name] = state

    def put_all(self, state: SessionState) -> list[str]:
        """All live ones change; their names."""
        names = self.live()
        for name in names:
            self._states[name] = state
        return names

    def end(self) -> list[str]:
        """Stop all; the names to be told, the default's if none ever began."""
        names = self.put_all(SessionState.STOPPED)
        if not names and not self._states:
            names = [self._default]
            self._states[self._default] = SessionState.STOPPED
        return names
