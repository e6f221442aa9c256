"""Detectors of speech, lent to voices while they may be speaking."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pipeline.audio.vad import Vad, WebrtcVad
from pipeline.base.errors import EngineError

log = structlog.get_logger()


class Detectors:
    """Makes one where none is free: as many as people ever spoke at a time (1 MB each).

    ``on_fallback`` is told, once, why ``make`` gives none; a simpler one is used from then on.
    """

    def __init__(self, make: Callable[[], Vad], on_fallback: Callable[[EngineError], None]) -> None:
        self._make = make
        self._on_fallback = on_fallback
        self._free: list[Vad] = []

    def lend(self) -> Vad:
        """One that has heard nothing. Raises EngineError (``vad``) when not even the simpler one
        loads."""
        if self._free:
            vad = self._free.pop()
            vad.reset()
            return vad
        try:
            return self._make()
        except EngineError as error:
            log.exception("audio.no_vad")
            self._make = WebrtcVad
            self._on_fallback(error)
            return self._make()

    def take_back(self, vad: Vad) -> None:
        """It is not needed any more."""
        self._free.append(vad)

    def clear(self) -> None:
        """Free them."""
        self._free.clear()
