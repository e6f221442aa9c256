"""Web addresses, host names and e-mail addresses in text, as typed or spelled out ("dot", "at")."""

from __future__ import annotations

import re

_LABEL = r"[^\W_](?:[\w\-]*[^\W_])?"
_HOST = rf"(?:{_LABEL}\.)+[^\W\d_]{{2,}}"
_IP = r"\d{1,3}(?:\.\d{1,3}){3}"
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.\-]*://\S+"
    rf"|[\w.+\-]+@(?:{_HOST}|{_IP})"
    rf"|(?<![\w.@\-])(?:{_HOST}|{_IP})(?::\d+)?(?:/\S*)?",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)'\"\u2019\u201d>]/"
_SPELLED = ((" dot ", "."), (" at ", "@"), (" slash ", "/"))


def addresses(text: str) -> list[str]:
    """Every address in a text as written there, without the punctuation after it, in order."""
    return [match.group().rstrip(_TRAILING) for match in _ADDRESS.finditer(text)]


def unsaid_addresses(text: str, said: list[str]) -> list[str]:
    """Addresses of ``text`` that do not occur in the texts of ``said``. A host alone may be that
    of an address that was said; a longer address may not."""
    claimed = list(dict.fromkeys(addresses(text)))
    if not claimed:
        return []
    known: set[str] = set()
    for line in said:
        for spoken in (line, *_written(line)):
            for address in map(_plain, addresses(spoken)):
                known |= {address, re.split(r"[/?#:]", address.rpartition("@")[2], maxsplit=1)[0]}
    return [address for address in claimed if _plain(address) not in known]


def _plain(address: str) -> str:
    folded = address.casefold()
    for start in ("https://", "http://"):
        folded = folded.removeprefix(start)
    return folded.removeprefix("www.").rstrip(_TRAILING)


def _written(line: str) -> list[str]:
    """How the line may be meant: with every "dot", and with "at" and "slash", too."""
    folded = " ".join(line.split())
    dots = folded.replace(*_SPELLED[0])
    every = dots.replace(*_SPELLED[1]).replace(*_SPELLED[2])
    return [dots, every] if dots != folded else []
