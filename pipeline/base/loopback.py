"""What is this machine itself, and listeners that must not be reached from outside."""

from __future__ import annotations

import ipaddress

from pipeline.base.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself, as far as the text tells."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(host: str, setting: str, reason: str) -> None:
    """Refuse to listen on anything but this machine's loopback. Raises ConfigError naming the
    setting and the reason."""
    if not is_loopback(host):
        raise ConfigError(
            f"{setting} = {host!r}: only this machine's loopback is allowed, because {reason};"
            " use 127.0.0.1"
        )
