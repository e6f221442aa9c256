"""Checks an address that came from outside before anything connects to it.

Zoom's webhook and handshakes hand us URLs. Whoever can forge one must not be able to point us
at the inside of somebody's network, nor make us talk in the clear.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.base.errors import OutsideError

Resolver = Callable[[str, int], Iterable[str]]
"""Host and port to the addresses they resolve to (blocking)."""

_HOST = re.compile(r"[0-9a-z._:-]+")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenUrl(OutsideError):
    """The URL is outside what this installation may connect to."""

    source = "zoom"

    def __init__(self, message: str) -> None:
        super().__init__(message, kind="forbidden_url", retryable=False)


def resolve(host: str, port: int) -> Iterable[str]:
    """All addresses of a host by the machine's resolver."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class UrlGuard:
    """Which websocket URLs may be opened.

    ``domains``: a host must equal one of them or end in ``.`` + one. ``allow_loopback`` opens
    plain ``ws://`` and ``wss://`` to loopback on any port, for the emulator and tests; it opens
    nothing else.
    """

    domains: tuple[str, ...] = ("zoom.us",)
    allow_loopback: bool = False

    def check(self, url: str) -> None:
        """Check what the text alone tells.

        Raises ForbiddenUrl, naming the rule that was broken.
        """
        host, _ = self._host(url)
        if self._is_loopback_name(host):
            return
        if urlsplit(url).scheme != "wss":
            raise ForbiddenUrl(f"{_shown(url)}: only wss:// is allowed")
        if urlsplit(url).port not in (None, 443):
            raise ForbiddenUrl(f"{_shown(url)}: only port 443 is allowed")
        if not any(host == domain or host.endswith("." + domain) for domain in self.domains):
            raise ForbiddenUrl(
                f"{_shown(url)}: host is not under {', '.join(self.domains)}"
                " (setting rtms.allowed_domains)"
            )

    def addresses(self, url: str, resolver: Resolver = resolve) -> list[str]:
        """Check and resolve; connect to one of these addresses, never to a second look-up.

        Raises ForbiddenUrl when any address is private, loopback, link-local or reserved, and
        OutsideError (retryable) when the name does not resolve.
        """
        self.check(url)
        host, port = self._host(url)
        try:
            found = list(dict.fromkeys(resolver(host, port)))
        except OSError as error:
            raise OutsideError(
                f"{_shown(url)}: host does not resolve ({error})", kind="dns", retryable=True
            ) from error
        if not found:
            raise OutsideError(f"{_shown(url)}: host has no address", kind="dns", retryable=True)
        loopback_expected = self._is_loopback_name(host)
        for address in found:
            ip = _reached(address)
            if loopback_expected and not ip.is_loopback:
                raise ForbiddenUrl(f"{_shown(url)}: resolves to {address}, not to this machine")
            if not loopback_expected and not _is_public(ip):
                raise ForbiddenUrl(f"{_shown(url)}: resolves to {address}, which is not public")
        return found

    def _host(self, url: str) -> tuple[str, int]:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "wss" else 80)
            host = (parts.hostname or "").encode("idna").decode("ascii").lower().rstrip(".")
        except (ValueError, UnicodeError) as error:
            raise ForbiddenUrl(f"{_shown(url)}: not a URL ({error})") from error
        if parts.scheme not in ("ws", "wss") or not host:
            raise ForbiddenUrl(f"{_shown(url)}: not a websocket URL")
        if not _HOST.fullmatch(host):
            raise ForbiddenUrl(f"{_shown(url)}: not a host name")
        if parts.username is not None or parts.password is not None:
            raise ForbiddenUrl(f"{_shown(url)}: user name or password in a URL is not allowed")
        return host, port

    def _is_loopback_name(self, host: str) -> bool:
        if not self.allow_loopback:
            return False
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def _reached(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address a packet ends at: an IPv4 one may hide in an IPv6 one (mapped, 6to4, NAT64)."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """``is_global`` alone passes IPv6 ranges that nobody was given, and the site-local one."""
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or site_local)


def _shown(url: str) -> str:
    """The URL without query (tokens live there), cut to a line's length."""
    return repr(url.split("?", maxsplit=1)[0][:120])
