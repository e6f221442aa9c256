"""How people lay an option open, take it up, and leave it: the wordings."""

from __future__ import annotations

import re

from pipeline.summarize.wording import LEAD, Wording

_NOT_ONE = r"(?!I\b|you\b|he\b|she\b|they\b|it\b|that\b|this\b|there\b|any|some|every|who\b|what\b)"

OPEN_ASKED = Wording(
    LEAD + r"(?:could|can|should|shall) (?:we |us )" + r"(?:just |also |then |maybe )*<what>",
    LEAD + r"(?:could|can|should) " + _NOT_ONE + r"(?!we\b)<what>",
    r"\b(?:what if|how about|why don't|shall|should) we (?:just |then |all |maybe )*<what>",
    r"\bwhat if <what>",
    r"\bdo (?:we|you) (?:all )?(?:want|wish) to <what>",
)
"""An option put as a question; ``what`` is the option."""
EITHER = re.compile(
    r"^(?:(?:so|okay|ok|and|now|then|well)[,.]?\s+)*(?!(?:is|are|was|were|do|does|did|will|would"
    r"|has|have|what|when"
    r"|where|who|why|how|which|anything|anybody|something|you|i)\b)[^?]+\s+or\s+(?!(?:so|what|not"
    r"|something|is|was|did|do)\b)[^?]+\?$",
    re.IGNORECASE,
)
""" "Red or blue?"."""
OPEN_TOLD = Wording(
    r"\b(?:I|we) (?:was|were|am|'m) (?:going|about) to (?:suggest|propose) (?:that )?<what>",
    r"\bI(?:'d| would) (?:suggest|propose|accept|rather have|go for) (?:that )?<what>",
    r"\bwhat I(?:'d| would) (?:accept|suggest|propose) is (?:that )?<what>",
    r"\bI(?:'d| would) be (?:open to|happy with|fine with|in favou?r of) (?!that\b|it\b"
    r"|this\b)<what>",
    r"\bthe question is (?:whether|if) we (?:can|could|should) <what>",
    r"\bwe (?:could|can) (?:also |just |always |maybe )*(?!see\b|say\b|hear\b|live\b|commit\b"
    r"|do that\b)<what>",
    LEAD
    + r"(?="
    + _NOT_ONE
    + r"(?!we\b)(?:[^\s,.;]+ ){1,5}?(?:can|could) (?:have|go|use|take|share|move|be)\b)<what>",
)
"""An option put as a statement."""
RULING = Wording(
    LEAD + r"no (?![^.]*\b(?:is|are|was|were)\b)(?=[^.]*\b(?:before|until|till)\b)<what>",
    LEAD + r"(?=nothing [^.]*\b(?:before|until|till)\b)<what>",
    r"\b(?=we(?:'re| are) not (?:doing|having|taking|buying|using|paying|going with"
    r"|changing) )<what>",
)
"""One person's word on it, which takes another's assent."""
DATED_RULING = Wording(
    LEAD
    + r"(?=we(?:'ll| will| shall)? (?!have\b|had\b|can\b|could\b|leave\b|are\b|were\b)[a-z]+)<what>"
)
""" "Then we open on Monday": with a date, it stands unless somebody objects."""
STAYS = Wording(
    r"(?:^|, |\b(?:good|okay|ok|so|then|right|fine) |\b(?:it|that|the [^.,;]+?) )(?:stays|remains"
    r"|is staying|is going to stay|'s staying|will stay)"
    r" (?=(?:at|on|in|with|as|where)\b)<what>",
)
PUT_OFF = Wording(
    r"\b(?:I|we) (?:can't|cannot|can not|won't|will not|am not going to"
    r"|am not able to) (?:approve|decide|sign|agree|settle|commit|rule|vote)\b[^.]*\b(?:today|now"
    r"|yet|tonight|this time)\b",
)
RETURN = Wording(
    r"\b(?:we|I)(?:'ll| will| shall) (?:return|come back|get back|look|go back|take it up|decide"
    r"|revisit)\b",
)
""" "I can't approve that today. We'll return to it in June."."""

POINTS_BACK = Wording(
    LEAD
    + r"(?:(?:let's|let us|we'll|we will|we can|please) )?(?:just )?do (?:it|that)(?: then)?(?=[.,!]|$)",
    r"\b(?:let's|let us|we'll|we will) (?:just |all )?do (?:it|that)(?: then)?(?=[.,!]|$)",
    LEAD + r"go ahead with (?:it|that|this)\b",
    r"\b(?:I'm|I am|we're|we are) (?:quite |very |perfectly |all |more than )?(?:happy|content"
    r"|fine|comfortable)"
    r" with (?:that|it|this)\b",
    r"\b(?:we|I) (?:can|could) (?:live with|commit to|work with) (?:that|it|this)\b",
)
"""Assent to what was last laid open."""
BARE_ASSENT = Wording(
    LEAD + r"(?:go ahead|deal|done|it's a deal)(?: then)?(?=[.,!]|$)",
    r"\bI'm in(?=[.,!]|$)",
    r"\bwe're in(?=[.,!]|$)",
)
"""The same; it reaches no farther than the turn before."""
LEFT = Wording(
    r"\bnot (?:today|now|yet|decide|sure)\b",
    r"\bmaybe\b",
    r"\b(?:let's|let us|we'll|we can) (?:not|park|table|leave|postpone|come back)\b",
    r"\bnever ?mind\b",
    r"\b(?:only|just) a thought\b",
    r"\bplease don't\b",
)
"""What closes an option undecided."""
THEN = re.compile(
    r"^(?:(?:okay|ok|so|right|good|well|fine|great),?\s+)*then\b|,?\s+then[.!]*$", re.IGNORECASE
)
FRAME = re.compile(
    r"^(?:(?:so|okay|ok|good|right|great|fine|perfect|all\s+right|alright)\b,?\s+)+(?!(?:do|does"
    r"|is|are|what|how|why|when|if|i|you|he|she"
    r"|they|because|that['’]s|it['’]s)\b)",
    re.IGNORECASE,
)
LETS = re.compile(
    r"^(?:(?:so|okay|ok|good|right|then|and|well),?\s+)*let['’]?s\s+(?!not\b|see\b)", re.IGNORECASE
)
NO_RULE = re.compile(r"^(?:(?:okay|ok|so|right|well),?\s+)*then\s+no\s+", re.IGNORECASE)
LEAVES = re.compile(r"\b(?:that|which)\s+(?:just\s+|only\s+)?leaves\b", re.IGNORECASE)
""" "That leaves Fridays" decides nothing."""
ARGUES = re.compile(
    r"^(?:(?:well|and|but|so|because|cause|though|yes|yeah|no)\b,?\s+)*(?:i|it|he|she|they|you"
    r"|that|this|there|these|those|because"
    r"|we['’]ve|we\s+(?:have|had|are|were))\b",
    re.IGNORECASE,
)
TAIL = re.compile(r"(?:,?\s+(?:then|yes|please|too|also))+(?=[.!]*$)", re.IGNORECASE)
STEERING = re.compile(
    r"^(?:(?:just|all|then|now|first)\s+)*(?:begin|start|move\s+on|go\s+(?:on|back|through|around"
    r"|over|ahead)|talk|discuss"
    r"|continue|look|see|hear|wait|take\s+a|wrap|recap|review|vote|call\s+it|get\s+(?:started"
    r"|going)|try\s+to\s+keep)\b",
    re.IGNORECASE,
)
"""Steering the meeting is no option."""
REPORTS = re.compile(r"\balready\b|\bI(?:['’]ve|\s+have)\s+[a-z]+ed\b", re.IGNORECASE)
"""Beside these "done" tells how things are."""
REASON = re.compile(
    r"^(?:(?:yes|yeah|no|well|oh)\b,?\s+)*(?:too|not|very|so|quite|pretty|really)\b", re.IGNORECASE
)
"""A reason given twice is no choice."""
