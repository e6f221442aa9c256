"""Listeners that must not be reached from outside."""

from __future__ import annotations

import ipaddress

from pipeline.base.errors import ConfigError


def require_loopback(host: str, setting: str, reason: str) -> None:
    """Refuse to listen on anything but this machine's loopback. Raises ConfigError naming the
    setting and the reason."""
    if host == "localhost":
        return
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise ConfigError(
            f"{setting} = {host!r}: only this machine's loopback is allowed, because {reason};"
            " use 127.0.0.1"
        )
