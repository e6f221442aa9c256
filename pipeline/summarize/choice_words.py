"""How people propose, agree, object and decide: the wordings."""

from __future__ import annotations

import re

from pipeline.summarize.wording import LEAD, Wording

DECIDE = Wording(
    r"\b(?:let's|let us) (?:just |all |then |now |simply |rather )*(?:go(?: ahead)? with|go for"
    r"|use|do|keep|stick with|stick to"
    r"|settle on|choose|pick|drop|take|make it|postpone|cancel|buy|stay with|move (?:it|this|that"
    r"|the [a-z]+) to"
    r"|set) (?!a (?:look|break|moment|vote|quick|minute|round)\b|it\b[.!]?$|that\b[.!]?$"
    r"|this\b[.!]?$"
    r"|another\b|some\b|them\b)<what>",
    r"\b(?:we|we'll|we will|we shall|we're going to|we are going to) (?:go"
    r"|going) (?:ahead )?with <what>",
    r"\bwe(?:'re| are) going (?:ahead )?with <what>",
    r"\b(?:we'll|we will|we shall) (?:stick|stay) (?:with|to) <what>",
    r"\bwe(?:'ve| have) (?:now |just |all )?(?:decided|agreed) (?:to|that|on) <what>",
    r"\b(?:the |our )?decision(?: is|:) (?:to |that )?<what>",
    r"\b(?:I've|I have|I hereby) (?:decided|decide) (?:to |that |on )?<what>",
    r"\bwe (?:hereby )?(?:resolve|resolved just now) (?:to|that) <what>",
    r"\bit(?:'s| is) (?:now )?(?:decided|agreed|settled) that <what>",
    r"\b(?:let's|we can|we'll) settle (?:on|for) <what>",
)
"""A decision in so many words; ``what`` is decided."""

PASSED = Wording(
    r"\b(?:is|are|stands|stand) (?:hereby |therefore |now |unanimously )?"
    r"(?:approved|adopted|carried|passed|ratified|resolved|granted)\b",
)
"""A formal decision about the subject of the clause."""
ENDED = Wording(
    LEAD
    + r"(?:then|so|hereby|therefore) (?:the|that|this|our|your|his|her)\b[^.;,]*? (?:is|are) (?:hereby |therefore )?"
    r"(?:withdrawn|rejected|accepted|cancelled|canceled|postponed|deferred|approved|confirmed"
    r"|off)\b",
)
_THING = r"(?:motion|proposal|amendment|resolution|vote)"
CONFIRM = Wording(
    r"\b(?:it's|it is|that's|that is|it has been|that has been"
    r"|so it's) (?:all )?(?:now )?(?:decided|settled|agreed|carried|a deal|a decision|unanimous"
    r"|approved)\b(?! that\b)",
    LEAD
    + r"(?:decided|settled|carried|it's a deal|deal|done deal|approved|adopted)(?: then)?(?=[.,!:]|$)",
    rf"\b(?:the )?{_THING} (?:is|has been) (?:carried|passed|adopted|approved|accepted)\b",
    r"\bwe(?:'re| are)? (?:all )?(?:agree|agreed|in agreement)(?=[.,!]|$)",
    r"\b(?:that's|that is|this is) (?:the|our|my) (?:rule|plan|decision|call|policy"
    r"|final decision)\b",
    r"\bfrom now on\b",
    r"\b(?:let's|let us|we'll|we will) go with (?:that|it|this)(?: one)?(?: then)?(?=[.,!]|$)",
    r"\bso ordered\b",
    r"(?:^|, )(?:then|so|okay|ok) (?:then )?(?:we|we'll|we will) (?:do|take|keep) (?:it|that"
    r"|this)(?=[.,!]|$)",
    r"\b(?:that's|then that's|so that's|okay that's) (?:what (?:we'll|we will) do|how (?:we'll"
    r"|we will) do it|it then)\b",
)
"""A decision is stated; what was decided stands beside it."""

PROPOSE = Wording(
    r"\b(?:I|we) (?:propose|move|suggest|vote|would propose|'d propose|would suggest"
    r"|'d suggest) (?:that )?<what>",
    r"\bmy (?:proposal|suggestion) (?:is|would be) (?:that |to )?<what>",
    LEAD + r"no <some>,? please(?=[.!]|$)",
    LEAD + r"I want (?:it|this|that|the [a-z]+|us) to <what>",
    LEAD + r"(?:let's|let us) (?=[a-z]+)<what>",
    LEAD + r"(?:then |so )?(?:we[\x27\u2019]ll|we will|we shall) (?:just |then |all |simply )*"
    r"(?!have\b|need\b|be\b|see\b|get\b|find\b|know\b|never\b|not\b|probably\b|want\b|all\b)<what>",
)
"""A proposal that plain assent makes a decision."""
SUGGEST = Wording(
    r"\b(?:what|how) about (?:we |if we |just )?<what>",
    r"\b(?:shall|should) we (?:just |then |all |maybe )?<what>",
    r"\bwhy don't we (?:just |all )?<what>",
    r"\bwe should (?:really |probably |just |definitely )?<what>",
    r"\bI(?:'d| would) say we <what>",
    r"\bthe proposal (?:before us |on the table )?is (?:to |that )?<what>",
)
"""A softer one: it takes an explicit agreement."""
OPTION = Wording(
    r"\b(?:we|you) (?:could|can|may) (?:also |either |just |always |then )*<some>(?=[.,;!?]|$)",
    r"\bwe (?=[a-z]+ [^.]*\bor (?:we|you)\b)<some>(?=[.,;!?]|$)",
    r"\bor (?:we|you) (?:could |can |just )?<some>(?=[.,;!?]|$)",
    r"\beither <what>",
)
"""One of several ways somebody lays open."""
POLL = Wording(
    r"\b(?:are|is) (?:we|you|everybody|everyone|people|you all) (?:all )?(?:fine|ok|okay|good"
    r"|agreed|happy|in agreement|on board) (?:with|about|on) (?:that|this|it)\b",
    r"\b(?:does|do) (?:that|this|it) (?:sound|seem|look) (?:fair|good|right|ok|okay|reasonable"
    r"|fine)\b",
    r"\b(?:is|would) (?:that|this) (?:be )?(?:ok|okay|fine|good|acceptable|all right)(?: (?:with"
    r"|for|by) (?:you|everybody|everyone|all))?(?=\?|$)",
    r"\bany objections\b",
    r"\bdo (?:we|you) (?:all )?agree\b",
    r"\b(?:everybody|everyone|all) (?:fine|ok|okay|happy|good|agreed)(?: with that)?\?",
    r"\bshall we (?:vote|agree|say so|do that)\b",
    r"\bcan we (?:all )?agree (?:on that|on this|to that)\b",
)
"""The others are asked to agree to what was just said."""

ASSENT = Wording(
    r"^(?:oh |ah |well |okay |ok |yes |yeah |yep |right |hm+ |hmm |good |fine |sure |all of it )*"
    r"(?:agreed|agree|I agree|fine|fine by me|fine with me|works for me|sounds good|sounds fair"
    r"|sounds great|that sounds fair|that sounds good|that sounds great|that works|yes|yep|yeah"
    r"|sure"
    r"|me too|same here|makes sense|that makes sense|seconded|I second that|I second it|good idea"
    r"|great idea|I'm in(?=[.,!]|$)|absolutely|I'm with you|I am with you|I'm fine with that"
    r"|I'm okay with that"
    r"|in favour|in favor|aye|ok|okay|deal|perfect|let's do it|let's do that|definitely|exactly"
    r"|I can live with that"
    r"|no objections?|I don't mind|good with me|good for me|grand)(?=[\s.,;!-]|$)",
)
FIRM_ASSENT = Wording(
    r"\b(?:agreed|I agree|seconded|I second|deal|let's do it|let's do that|works for me"
    r"|fine by me|fine with me"
    r"|sounds good|that sounds fair|I'm in(?=[.,!]|$)|all in favou?r)\b",
)
OBJECT = Wording(
    r"^(?:oh |ah |well |um |uh |sorry |hm+ )*(?:no(?=[.,!]|$)|no no|wait(?=[.,!]|$)|hold on"
    r"|hang on|not so fast|I disagree|I don't (?:think|agree)"
    r"|I'm not sure|absolutely not|I'd rather not|let's not|please don't|I'm against|but\b)",
)
UNDO = Wording(
    r"\b(?:let's not|we're not going to|we are not going to|we won't|we will not"
    r"|we shouldn't) <some>(?: after all)(?=[.,;!]|$)",
    r"\b(?:scrap|scratch|forget|reverse|undo|cancel|drop) (?=(?:the|that|this"
    r"|our)\b)<some>(?=[.,;!]|$)",
    r"\bI(?:'ve| have) changed my mind(?: about)?(?: <some>)?(?=[.,;!]|$)",
)
"""Words that can take back a decision they name."""
ECHO = Wording(LEAD + r"(?=(?:[^\s.,;]+ ){1,5}it is)<some> it is(?: then)?(?=[.,!]|$)")
ECHO_AGREED = Wording(LEAD + r"<some>,? (?:is )?agreed(?=[.,!]|$)")
"""The choice is said again, as the choice."""
EARLIER = re.compile(
    r"\bas\s+$|\b(?:had|last\s+(?:time|week|month|year|meeting)|yesterday|earlier|already"
    r"|previously|originally"
    r"|back\s+in|in\s+(?:january|february|march|april|june|july|august|september|october|november"
    r"|december)"
    r"|used\s+to|would\s+have|could\s+have|should\s+have|if)\b",
    re.IGNORECASE,
)
ROUTINE = re.compile(
    r"^(?:(?:just|all|then|now|maybe|first|quickly|also)\s+)*(?:cut\s+(?:the|this)\s+meeting"
    r"|start|begin|move\s+on|go\s+(?:on|back|through|around|round|over|ahead(?!\s+with)|to\b"
    r"|home)|see\b|look\b|park\b|talk\b"
    r"|discuss|decide\b(?!\s+(?:to|against|for)\b)|wait|hear\b|continue|get\s+(?:started|going|back|on)|be\b|say\b|face\b|not\b|hope"
    r"|pretend|assume|think\b|have\b"
    r"|try\b|leave\b|come\b|return|take\s+(?:a|this|that|it|five|ten)\b|do\s+(?:it|that|this)\b"
    r"|make\s+sure|focus|finish|stop\b|keep\s+(?:going|in\s+mind|moving)"
    r"|first\b|call\b|vote|imagine|suppose|recap|review|check\b|know\b|call\s+it|read\b|skip\b"
    r"|meet\b|open\b|close\s+(?:the\s+)?meeting|wrap|pass\b|jump|turn\b|remember|forget"
    r"|do\s+(?:the|a|your|our)\s+(?:round|intro|introductions|check)|do\s+some"
    r"|use\s+(?:the\s+)?(?:time|pen|board|whiteboard)|play|draw|show|begin|write|put)\b",
    re.IGNORECASE,
)
"""What follows "let's" when only the meeting itself is steered."""
CEREMONY = re.compile(
    r"\b(?:meeting|call|session|floor|quorum|apologies|item)\s+(?:is|are|was)\b", re.IGNORECASE
)
CHOICE_WORDS = re.compile(r"\b(?:options?|choices?|alternatives?|either)\b", re.IGNORECASE)
