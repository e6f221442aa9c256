"""What we prove ourselves with to Zoom: the app's own credentials, and those for its REST API."""

from __future__ import annotations

import msgspec

from pipeline.base.secret import Secret


class Credentials(msgspec.Struct, frozen=True):
    """Client id and secret of the Zoom app (for Video SDK: SDK key and secret)."""

    client_id: str
    client_secret: Secret


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Zoom's REST API, to start RTMS again after a stream broke off (docs/zoom-setup.md).

    Usually a server-to-server OAuth app's: account id, client id and secret. Without an account id
    the grant is ``client_credentials``. Nothing is asked of the API while ``is_on`` is False.
    """

    account_id: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    participant_user_id: str = ""  # start RTMS for this user; empty: as Zoom chooses
    api_url: str = "https://api.zoom.us/v2"
    token_url: str = "https://zoom.us/oauth/token"  # noqa: S105 - an address
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 15.0
    tries: int = 5  # for one broken stream, after 0, 3, 6, 12, 24 s

    def __post_init__(self) -> None:
        if bool(self.client_id) != bool(self.client_secret):
            raise ValueError("client_id and client_secret must be set together")
        if self.account_id and not self.client_id:
            raise ValueError("account_id needs client_id and client_secret of the same app")
        if not 1 <= self.tries <= 20:
            raise ValueError("tries must be 1..20")
        if min(self.connect_timeout_s, self.answer_timeout_s) <= 0:
            raise ValueError("time-outs must be above 0")

    @property
    def is_on(self) -> bool:
        """Whether there are credentials."""
        return bool(self.client_id and self.client_secret)
