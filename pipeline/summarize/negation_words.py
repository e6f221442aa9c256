"""Words that turn what follows them into its opposite, or into a doubt."""

from __future__ import annotations

import re

_NOT = (
    r"(?:not|never|cannot|neither|nor|nobody|no\s+one|hardly"
    r"|(?:do|does|did|is|are|was|were|wo|would|ca|could|should|has|have|had)n['’]?t)"
)
_GOVERNING = (
    r"(?:think(?:ing)?|thought|believe[ds]?|reckon|suppose|feel|say(?:ing|s)?|said|see|know[sn]?"
    r"|want|mean|guess|imagine|agree[ds]?|expect|promis(?:e|ed|ing)|suggest(?:ing|ed)?"
    r"|propos(?:e|ed|ing)|recommend|figure[d]?|sure|certain|convinced|clear|keen|persuaded|happy"
    r"|saying|point|reason|need|sense|way|chance|case|time)"
)
_DENYING = re.compile(
    rf"(?:\b{_NOT}\s+(?:[\w'’]+\s+){{0,2}}?{_GOVERNING}"
    r"|\bno\s+(?:(?:good|real|earthly)\s+)?(?:need|reason|point|sense|way|chance)"
    r"|\b(?:doubt|unlikely|rather\s+not|refuse|wonder|unclear|unsure|against))"
    r"(?:\s+(?:that|if|whether|why|how|when|where|like|there|is|it['’]?s|about|on|in|for|to|at|all"
    r"|the|a|an|any|idea|right|good|so))*,?\s*$",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(?:(?:do|did|would)(?:n['’]?t|\s+not)\s+(?:\w+\s+){0,2}?(?:think|believe|reckon|feel"
    r"|see\s+(?:why|any\s+(?:reason|need|point)|the\s+(?:need|point)|a\s+reason))"
    r"|no\s+(?:\w+\s+)?(?:need|reason|point|sense)|never\s+thought|against)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r",\s+(?:honestly|frankly|really|actually|personally|myself|to\s+be\s+(?:honest|fair|frank)"
    r"|to\s+tell\s+the\s+truth|you\s+know|if\s+i['’]?m\s+honest),",
    re.IGNORECASE,
)
NEGATIVE = re.compile(rf"\b{_NOT}\b|\brather\s+not\b|\bno\b", re.IGNORECASE)
"""A sentence with a negation somewhere in it."""
_STARTS = re.compile(r"^(?:just\s+|really\s+|simply\s+)*(?:not|never|n['’]?t)\b", re.IGNORECASE)
_NO = re.compile(r"(?:^|[\s,])(?P<no>no\s+)$", re.IGNORECASE)


def denied(line: str, start: int) -> bool:
    """Whether the clause that begins at ``start`` hangs on a verb that is negated or doubts it
    ("I don't think we should ...", "I doubt I'll ...")."""
    return bool(_DENYING.search(_ASIDE.sub("", line[:start])))


def advises_against(line: str, start: int) -> bool:
    """Of what is denied, what somebody speaks against, not only leaves unsaid or doubts."""
    return denied(line, start) and bool(_AGAINST.search(line[:start]))


def starts_negated(what: str) -> bool:
    """Whether words open with their own negation ("not buy it"): without a subject no English."""
    return bool(_STARTS.match(what))


def with_no(line: str, start: int) -> int:
    """Where words begin if a "no" that belongs to them stands right before ("no discount")."""
    found = _NO.search(line[:start])
    return found.start("no") if found else start
