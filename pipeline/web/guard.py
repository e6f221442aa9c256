"""Who may ask this listener anything, and what every answer carries."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)

HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every answer, errors included."""


PICTURE_CSP = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"
"""For a picture: nothing may run, but a browser may place it with the style of its own viewer."""


def is_loopback(hosts: Sequence[str]) -> bool:
    """Whether a request's ``Host`` headers name this machine: exactly one, and loopback.

    A page on the internet whose name was made to resolve to 127.0.0.1 (DNS rebinding) still sends
    its own name here, so it is refused.
    """
    if len(hosts) != 1:
        return False
    name = hosts[0].strip()
    if name.startswith("["):
        name, closed, rest = name[1:].partition("]")
        if not closed or not _is_port(rest):
            return False
    else:
        name, colon, port = name.partition(":")
        if not _is_port(colon + port):
            return False
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text == "" or (text[0] == ":" and text[1:].isascii() and text[1:].isdecimal())
