"""Whose images one stream's client gets: messages 28 and 29 (reference sections 12.2, 12.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pipeline.emulator.lane import Sent
from pipeline.emulator.params import Refused
from pipeline.rtms.enums import DataOption, StatusCode

_MOST_USER: Final = (1 << 32) - 1


class Video:
    """``individual``: only of the participant who was asked for; else of who speaks."""

    def __init__(self, off: Collection[int]) -> None:
        """``off``: cameras switched off by command; the tape's images of them are withheld."""
        self.individual = False
        self.chosen: int | None = None
        self._off = off

    def start(self, data_opt: int) -> None:
        """A video connection with this option shook hands."""
        self.individual = data_opt == DataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM

    def wanted(self, sent: Sent) -> bool:
        """Whether an image of the tape is for this client; images of nobody (metadata) are."""
        if not sent.user:
            return True
        if sent.user in self._off:
            return False
        return sent.user == self.chosen if self.individual else sent.active

    def went_off(self, user: object) -> None:
        """A camera: that ends its subscription, which must be asked for anew."""
        if user == self.chosen:
            self.chosen = None

    def asked(self, message: Mapping[str, Any], known: Collection[int], *, strict: bool) -> None:
        """Message 28. Raises Refused with the status of the answer.

        ``known``: everybody on the tape; empty when it names nobody. The timestamp is not looked
        at: Zoom's SDK sends its uptime.
        """
        user, on = message.get("user_id"), message.get("subscribe")
        if not strict and isinstance(user, str) and user.isascii() and user.isdigit():
            user = int(user[:12])
        if type(user) is not int or not 0 < user <= _MOST_USER:
            raise Refused(StatusCode.INVALID_PAYLOAD, "user_id is not a participant's number")
        if type(on) is not bool:
            raise Refused(StatusCode.INVALID_PAYLOAD, "subscribe is not true or false")
        if not on:
            if user == self.chosen:
                self.chosen = None
            return
        if user == self.chosen:
            raise Refused(
                StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION, "this participant is subscribed to already"
            )
        if strict and not self.individual:
            raise Refused(
                StatusCode.INVALID_MEDIA_VIDEO_DATA_OPT,
                "no video connection with data_opt 4 (single individual stream)",
            )
        if strict and known and user not in known:
            raise Refused(StatusCode.INVALID_PAYLOAD, "no such participant")
        self.chosen = user
