"""How people promise, ask for, hand over, take, finish and give up work: the wordings.

General English of meetings, in the notation of ``wording``; which of them makes an item of the
notes is decided in ``actions``.
"""

from __future__ import annotations

import re

from pipeline.summarize.wording import LEAD, Wording

_ADVERBS = (
    r"(?:(?:then|also|definitely|personally|gladly|happily|certainly|of course|still|now|first"
    r"|quickly|go and|go ahead and|try to|try and|make sure to|make sure i|make sure that i"
    r"|be happy to|be glad to) )*"
)

PROMISE = Wording(
    rf"\b(?:I'll|I will|I shall) (?!not\b|never\b){_ADVERBS}",
    rf"\bI(?:'m| am) (?:going to|gonna) (?!not\b|never\b){_ADVERBS}",
    r"\bI(?:'m| am) (?=(?!seeing|meeting|having|being|going|driving|travell?ing|flying|leaving"
    r"|working|staying|coming|hoping|thinking|looking|wondering|trying|talking|saying|asking"
    r"|starting|doing|getting|feeling|sitting|joining|planning|running|running|afraid)"
    r"[a-z]{2,}ing )",
)
"""Where the words of a promise begin; the last form ("I'm sending ...") needs a date."""

OFFER = Wording(
    r"\bI(?:'d| would) be (?:happy|glad) to ",
    r"\b(?:I'm )?happy to (?=[a-z])",
    r"\bI (?:can|could) (?:also |then |certainly |definitely |always |probably |easily )*(?!not\b)",
    r"\b(?:let me|lemme) (?:also |then )*",
    r"\bwhat I can do is (?:to )?",
    r"\b(?:shall|should) I (?:be )?(?:also |then )*",
    r"\b(?:do|would) you (?:want|like) me to ",
)
"""Words of an offer begin here; somebody has to accept it, or to have asked."""

INTENT = Wording(
    r"\bI (?:still |also |really )*(?:have to|need to|must|ought to) ",
    r"\bI (?:was going|had meant|meant|was planning|was about|had planned|intended|had intended"
    r"|was meaning) to ",
)
"""What somebody had in mind to do; no item unless it is taken up or given up."""

_WHEN_GIVEN = (
    r"(?= (?:from me|by me|by |before |back\b|on |today|tonight|tomorrow|this |next |within |in"
    r"|at |the day after))"
)
DELIVERY = Wording(
    rf"\b(?:you|they|he|she|everyone|everybody)(?:'ll| will| shall) (?:also |then )?"
    rf"(?:get|have|receive|see) (?:<some>){_WHEN_GIVEN}",
    r"\byou(?:'ll| will| shall) hear (?:back )?from me\b",
    r"\b(?:it|that|they|those)(?:'ll| will| shall) be (?:in your (?:inbox|mail|hands|mailbox)"
    r"|with you|on your desk|on the drive|in your post)\b",
    r"\b(?:the|my|your) <some>(?='ll be | will be )(?:'ll| will) be (?:in your (?:inbox|mail|hands)"
    r"|with you|on your desk)\b",
)
"""A promise told from the side of who receives it."""

IDLE = re.compile(
    r"^(?:[a-z]+ly\s+)*(?:be(?!\s+(?!going|looking|sitting|there|joining|having|hoping"
    r"|thinking)[a-z]{2,}ing\b)"
    r"|bet\b|admit|guess|have\s+to\b|need\b|want\b|like\b|love\b|hate\b|know\b|believe\b|hope\b"
    r"|miss\b|survive|die\b|live\b|remember\b|forget\b|never\b|not\b|see\b|wait\b|pass\b"
    r"|stop\s+(?:there|here|now|talking)|probably\b|maybe\b|perhaps\b|most\s+likely|either\b"
    r"|think\b(?!\s+about\s+(?:the|a|an)\b)|say\b|tell\s+you\b|leave\s+(?:it|that)\s+(?:there|at"
    r"|for\s+now)"
    r"|give\s+you\s+(?:that|this|an\s+example|a\s+(?:hint|clue))|let\s+(?:you|them|him|her|it"
    r"|that)\s+(?:go|be|do|speak|finish|talk|get|have|decide)\b"
    r"|get\s+(?:used|old|there|going|started|to\b|back\s+to\s+(?:that|this)|bored|lost)"
    r"|come\b(?!\s+up\s+with\b)"
    r"|keep\s+(?:it|this|that)\s+(?:short|brief|quick|simple|in\s+mind)|call\s+(?:it|that"
    r"|this)(?:\s+(?:a|an|the|done|off|quits)\b|\s*$)"
    r"|have(?!\s.*\b(?:up|in|ready|done|out|over|back|finished|by|before|for\s+you)\b)"
    r"|assume|pretend|suppose|regret|do\s+my\s+best|take\s+(?:your\s+word|that\s+as|it\s+as"
    r"|a\s+(?:seat|guess|break))"
    r"|agree\b|disagree\b|go\s+(?:first|next|on\b|with\b|along|crazy|home|mad|for\b|through\b"
    r"|over\b)"
    r"|move\s+on|turn\s+(?:to|over\s+to)|hand\s+(?:it\s+|you\s+)?over\s+to|always\b|only\b"
    r"|get\s+(?:sick|cold|fired|killed)"
    r"|second\s+(?:that|it|this|the\s+motion)|entertain\b|adjourn\b"
    r"|call\s+(?:[a-z]+\s+){1,3}to\s+order"
    r"|end\s+up|lose\b|win\b|sound\b|feel\b|look\s+like|cry\b|laugh\b|eat\s+my|understand|imagine)",
    re.IGNORECASE,
)
"""Continuations of "I'll" that are not work."""

MOMENTARY = re.compile(
    r"^(?:wait\b|continue\b|carry\s+on|go\s+on|just\b|show\b|share\s+(?:my|the|this)\s+(?:screen"
    r"|desktop)|read\b|explain\b|repeat\b|start\b"
    r"|begin\b|mention\b|quote\b|draw\b|jump\b|skip\s+(?:to|this)|describe\b|summari[sz]e\b"
    r"|demonstrate"
    r"|switch\b|put\s+(?:it|this|that)\s+(?:up|here|there|on\s+the\s+(?:board|screen))|open\b"
    r"|close\s+(?:the\s+door|this)"
    r"|plug\b|sit\b|stand\b|introduce\b|mute\b|unmute\b|pull\s+(?:it|this|that|up)|go\s+(?:back"
    r"|ahead)|add\s+to\s+that|try\s+and\s+be"
    r"|type\b|click\b|scroll\b|come\s+back|play\b|walk\s+you|run\s+(?:you\s+)?through|present\b"
    r"|kick\s+off|take\s+you)",
    re.IGNORECASE,
)
"""Things people do at once, in the meeting; work only with a date."""

NOT_AN_OFFER = re.compile(
    r"^(?:see|hear|tell|imagine|understand|say|live\s+with|only|remember|think|believe|feel|guess"
    r"|recall"
    r"|be\b|have\b|know|get\s+(?:(?:that|it)\W*$|a\s+word)|put\s+it|start|begin|finish|first\s+say"
    r"|ask\s+(?:you\b|a\b|(?:this|that)\b(?!\s+(?:too|as\s+well|for|on|when|tomorrow|today)))"
    r"|support|accept|approve|tolerate|confirm|assure|recommend|explain|just|go\b"
    r"|give\s+you\s+(?:where|what|how|an?\s+(?:overview|idea|example|update|picture|quick|short"
    r"|brief)"
    r"|the\s+(?:picture|background|context|short|numbers\s+first)|some\s+(?:background|context))"
    r"|never|not|make\s+out|agree|understand|relate|promise|wait|hardly|still|barely|read\s+(?:it"
    r"|that|this)|speak|stop|use\b"
    r"|also\s+see|find|always|look\s+at\s+(?:it|this)\s+now|show|repeat|summari[sz]e|come|sing"
    r"|do\s+with|afford|really|honestly)\b",
    re.IGNORECASE,
)
"""Continuations of "I can" and "let me" that offer no work."""

TAKE = Wording(
    r"\b(?:I'm|I am) on (?:it|that)\b",
    LEAD + r"on it\b",
    LEAD + r"will do\b",
    r"\bconsider (?:it|that) done\b",
    r"\bleave (?:it|that|this|that one) (?:to|with) me\b",
    r"\b(?:give|hand|pass|assign) (?:it|that|this|that one) to me\b",
    r"\b(?:that'll be|that will be|that'd be|that would be|that's|that is|that one's) (?:me"
    r"|mine)(?=[.,;!]|$)",
    r"\bI(?:'ve| have)? got (?:this|that) one\b",
    LEAD + r"I(?:'ve| have)? got (?:this|that)(?=[.,;!]|$)",
    r"\b(?:I'll|I will|I shall|I can|let me|I could) (?:then |also |gladly |happily )*"
    r"(?:take|do|handle|own|cover|grab|pick|sort|manage|look after|see to|deal with|take care of"
    r"|get on|look into|follow up on|chase) (?:that|it|this|those|them|these)(?: one)?"
    r"(?: up| over| out| on)?\b",
)
"""Somebody takes what was just talked about, without naming it."""

TAKE_NAMED = Wording(
    r"\b(?:put|sign|pencil|write) me (?:down|up|in) (?:for|to) <some>(?=[.,;!?]|$)",
    r"\b(?:I'll|I will|I can) (?:take|own) (?:care of )?(?=the |that |those )<some>(?=[.,;!?]|$)",
)

ACCEPT = Wording(
    r"^(?:oh |ah |well |um |uh |so |okay |ok |yes |yeah |right )*"
    r"(?:yes|yep|yeah|yup|sure|ok|okay|of course|certainly|absolutely|definitely|with pleasure"
    r"|gladly|happy to|happily|no problem|not a problem|will do|on it|I'm on it|can do|noted"
    r"|got it|right away|consider it done|fine|alright|all right|agreed|my pleasure|understood"
    r"|aye|I will|I shall|I'd be (?:happy|glad) to)\b(?! not)(?!,? but\b)",
    r"\bI can (?:do|manage|handle|take) (?:that|it|this)\b(?!,? but\b)",
)
THANKS = Wording(
    r"^(?:oh |ah |well |okay |ok |yes |yeah |right )*"
    r"(?:cheers|thanks|thank you|please do|great|perfect|brilliant|lovely|wonderful|excellent"
    r"|yes please|please(?=[.,!]|$)|deal(?=[.,!]|$)|go ahead|super|awesome|fantastic"
    r"|appreciate it|much appreciated"
    r"|much obliged|you're a star|good idea|nice)\b",
    r"\bthat(?:'d| would) (?:really )?(?:help|be (?:really |very )?(?:great|good|nice|lovely"
    r"|helpful|useful))\b",
)
REFUSE = Wording(
    r"\bno,? thank",
    r"\b(?:not|won't be|isn't) (?:necessary|needed)\b",
    r"\b(?:will not|won't|don't|do not) need (?:that|it|one|you to)\b",
    r"\bno need\b",
    r"\bI(?:'d| would)(?: love to)? but\b",
    r"^(?:oh |ah |well |um |uh |so |sorry )*I (?:can't|cannot)\b",
    r"\bI(?:'d| would) rather not\b",
    r"^(?:oh |ah |well |sorry )*no(?=[.,!]|$)",
    r"\bnot me\b",
    r"\bplease don't\b",
    r"\bdon't bother\b",
)

DECLINE = Wording(
    r"\bI(?:'m| am|'ll be| will be)(?: afraid I'm| actually| really| sorry)* (?:out|away|off|busy"
    r"|swamped|tied up|travell?ing|unavailable|snowed under|on leave|on holiday|on vacation"
    r"|not (?:here|around|in|free|available|working|the right person))(?= |[.,;!]|$)"
    r"(?! (?:to|of|with) )",
    r"\bI won't be (?:here|around|in|able|free|available)\b",
    r"\bI(?:'m| am) afraid (?:not|I (?:can't|cannot|won't|couldn't|don't))\b",
    r"\bI (?:really |just |actually |honestly |simply )*(?:can't|cannot|couldn't)"
    r"(?=[.,;!]|$| (?:do|make|manage|take|fit|today|this|next|on|until|before|now|really|I'm)\b)",
    r"^(?:oh |ah |well |um |uh )*(?:I'm |I am )?(?:so |very |really )?sorry[.!]*$",
    r"\bno (?:chance|way)\b",
    r"\bnot me\b",
    r"\b(?:I'd|I would|rather) (?:rather )?not\b",
    r"\b(?:I've|I have) (?:got )?(?:too much on|no time|my hands full)\b",
)
"""Somebody who was asked says no, or says only why."""

OWED = Wording(
    r"\b(?:we|I) owe (?:you|them|everybody|everyone) <some>(?=[.,;!?]|$)",
    r"\bI(?:'d| would)?(?: also| still| really)* (?:need|want|like|expect) (?!to\b|you\b|it\b"
    r"|that\b)"
    r"<some>(?=[.,;!?]|$)",
    r"\b(?:send|give|show|get|forward) (?:me|us) (?!it\b|that\b)<some>(?=[.,;!?]|$)",
    r"\bplease <verb> (?!it\b|that\b)<some>(?=[.,;!?]|$)",
)
"""What somebody is waiting for: "it" in a promise to deliver."""

REQUEST = Wording(
    r"^(?:(?:so|and|then|okay|ok|well|but) )*please (?=(?!sit\b|take a (?:seat|look)\b)[a-z]+ "
    r"(?:the|an?|your|my|our|all|everybody|two|three)\b)",
    r"\b(?:can|could|would|will) you(?=\?|$)",
    r"\b(?:can|could|would|will) you (?:please |also |maybe |perhaps |possibly |then |just |all "
    r"|guys |try to |go and |make sure to |kindly )*",
    r"\bI(?:'ll| will)? need you (?:on|to|for) ",
    r"\bI(?:'d| would) like you to ",
    r"\bI want you to ",
    r"\bcan I ask you to ",
    r"\bI(?:'d| would) ask you to ",
    r"\bwould you mind ",
    r"\bare you able to ",
)
ASKED_BY_NAME = Wording(
    r"\byou(?:'ll| will| should| need to| have to| must|'re going to| are going to|'re to| are to"
    r"|'re on| are on) ",
    r"\byou (?=(?!(?:have|are|know|knew|said|had|were|was|want|need|like|got|saw|see|think|mean"
    r"|wrote|did|made"
    r"|took|gave|went|sent|brought|bought|told|forgot|lost|left|kept|love|hate|spell|sound|owe"
    r"|can|could|may"
    r"|might|would|should|will|must|never|always|still|already|also|just|only|and|or|[a-z]+ed)\b)"
    r"[a-z]+ (?:the|an?|that|this|it|them|those|these|my|our|your|on|after|with|for)\b)",
)
"""Only a request when the person is called by name in the same breath."""
ASKED_NOW = re.compile(
    r"^(?:hear|see|repeat|say|share|scroll|speak|tell\s+(?:me|us)|remind\s+me|imagine|believe"
    r"|guess|go\b"
    r"|start|begin|mute|unmute|turn|wait|hold|give\s+(?:me|us)|clarify|describe|explain|elaborate"
    r"|pass\b"
    r"|read|look\s+at\s+(?:me|it|this|that)|show\s+(?:me|us)|think|hang\s+on"
    r"|help\s+me\s+(?:understand|out)"
    r"|walk\s+(?:me|us)|talk\s+(?:me|us)|move\s+on|stop\b|come\b|expand|sit\b|stand\b|understand"
    r"|have\b|be\b"
    r"|get\s+(?:rid|closer|that)|know|like|want|use\b|still|actually|not\b|call\s+(?:it|that)"
    r"|use\s+it"
    r"|blame|forgive|excuse|spell|swap|just\s+go|keep\b|take\s+a\s+(?:moment|look\s+at\s+(?:this"
    r"|that))|argue|remember|never)\b",
    re.IGNORECASE,
)
"""Requests of the moment ("can you hear me", "Tom, you go first")."""

NEED = Wording(
    r"\b(?:somebody|someone|anybody|anyone|one of us|one of you) (?:has to|needs to|should|must"
    r"|ought to|will have to|please|also needs to|really needs to) (?=[a-z])<some>(?=[.,;!?]|$)",
    r"\b(?:somebody|someone) (?=[a-z]+s\b)<some>(?=[.,;!?]|$)",
    r"\bwho(?:'s| is) (?:going to |gonna |doing |taking "
    r"|up for )?(?=[a-z]+(?:ing)?\b)<some>(?=[.,;!?]|$)",
    r"\bwho (?:will|can|could|would|wants to|wants|would like to|should|is able to"
    r"|volunteers to) <some>(?=[.,;!?]|$)",
    r"\bwho (?=(?:takes|tells|does|writes|sends|calls|makes|brings|books|orders|asks|checks|gets"
    r"|buys|cleans|handles|picks|organi[sz]es|prepares|talks|speaks|informs|updates|fixes)\b)"
    r"<some>(?=[.,;!?]|$)",
    r"\bI need (?=(?:your|the|a|an|some|that|this|two|three)\b)<some>(?=[.,;!?]|$)",
    r"\bI want (?=(?:that|this|it) in writing\b)<some>(?=[.,;!?]|$)",
    r"\bwe (?:need to|have to|must|ought to|still need to|still have to|need someone to"
    r"|need somebody to) <some>(?=[.,;!?]|$)",
)
NEED_DONE = Wording(
    r"\b(?:is|are) to be [a-z]+(?:ed|en|nt|ne|t)\b",
    r"\b(?:must|has to|have to|needs to|need to|should|ought to) be [a-z]+(?:ed|en|nt|ne|t)\b",
    r"\b(?:needs|need|wants) (?:a (?:second )?(?:review|look|fix)|eyes|reviewing|fixing|testing"
    r"|doing)\b",
)
"""Work told without a doer ("the forms must be signed"); the whole clause is the work."""
NEED_MEANT = Wording(
    r"\b(?:was|were) (?:to|supposed to|meant to) (?=[a-z]+ (?:the|it|that|them|a"
    r"|an)\b)<some>(?=[.,;!?]|$)",
)
"""What somebody should have done."""

WITHDRAW = Wording(
    r"\b(?:forget|scrap|scratch|skip|ditch|never mind)"
    r"(?: about)? (?=(?:the|that|those|this|my|our|your|these|it|them)\b)<some>(?=[.,;!?]|$)",
    LEAD + r"(?:cancel|drop|strike|undo|call off)"
    r" (?=(?:the|that|those|this|my|our|your|these|it|them)\b)<some>(?=[.,;!?]|$)",
    r"\bdon't bother (?:with |about )<some>(?=[.,;!?]|$)",
    r"\bno need (?:for|to) <some>(?=[.,;!?]|$)",
    r"\b(?:we|you) (?:don't|do not|won't|no longer) (?:need(?: to)?|have to) <some>(?=[.,;!?]|$)",
    r"\b(?:I will not|I won't|I'm not going to|I am not going to|I shall not|I no longer need to"
    r"|I don't need to|I don't have to|I needn't|I need not) <some>(?=[.,;!?]|$)",
)
"""Something is given up, and named."""
NOT_GIVEN_UP = re.compile(
    r"\b(?:don['’]?t|not|never|to|can['’]?t|won['’]?t|cannot)\s+$", re.IGNORECASE
)
"""Before "forget the ..." it says the opposite."""
WITHDRAW_THAT = Wording(
    r"\b(?:scratch|scrap|cancel|skip|strike|undo) (?:that|it|this)\b",
    r"\bforget (?:that|it|this)\b",
    r"\bnever ?mind\b",
    r"\b(?:take|cross|strike) (?:that|it|this|them) off\b",
    r"\bdon't bother\b",
    r"\bdon't worry about (?:it|that)\b",
    r"\bI needn't(?=[.,;!]|$)",
    r"\bno need(?=[.,;!]|$)",
    r"\b(?:that's|that is|it's|it is|so that is) (?:already )?(?:been )?taken care of\b",
    r"\bnot (?:needed|necessary) any ?more\b",
    r"\bI(?: think I|'d rather|'ll| will)(?:'ll| will)? (?:skip|pass on|leave|drop) (?:it|that)\b",
)
"""Something is given up, and pointed at."""

DONE = Wording(
    r"\b(?:is|are|it's|that's|they're)(?: now| already| all)? (?:up|done|out|live|sent|fixed"
    r"|finished"
    r"|ready|deployed|resolved|merged|closed|complete|completed|booked|ordered|in place|paid"
    r"|printed"
    r"|signed|submitted|published|posted)\b(?! (?:to|for us|in the air|of)\b)",
    r"\bI(?:'ve| have)(?: just| already| now)* (?=[a-z]+(?:ed|en|nt|ne|t|ade|id|ut|ought)\b)",
    r"\bI just (?:sent|did|called|booked|ordered|paid|wrote|fixed|finished|posted|shared)\b",
    r"^(?:and |okay |ok |right )*(?:done|sent|fixed|finished|booked|ordered)(?=[.,!]|$)",
)

JOKE = Wording(
    r"\b(?:very|so) funny\b",
    r"\b(?:ha ha|haha|hah|lol)\b",
    r"\b(?:just|only) (?:kidding|joking)\b",
    r"\b(?:I'm|I am|was|you're) (?:kidding|joking)\b",
    r"\b(?:don't|do not|please don't|please do not) (?:write|put|note|minute) (?:that|this"
    r"|it) (?:down|in)\b",
    r"\boff the record\b",
    r"\b(?:in your|in my) dreams\b",
    r"^you wish\b",
    r"\bdon't tempt me\b",
    r"\bstrike that from\b",
    r"\bnice try\b",
    r"\bthat was a joke\b",
    r"\bhilarious\b",
    r"\bnot serious\b",
)
"""What was just said was not meant."""

MAYBE = re.compile(
    r"\b(?:maybe|perhaps|might|possibly|could\s+be|not\s+sure\s+(?:if|whether)|i\s+wonder"
    r"|hypothetically"
    r"|in\s+theory|imagine|suppose|what\s+if|let['’]?s\s+say|wish|would\s+have|should\s+have"
    r"|could\s+have"
    r"|usually|normally|always|every\s+time|sometimes|never)\b",
    re.IGNORECASE,
)
REPORTED = re.compile(
    r"\b(?:said|told|thought|promised|mentioned|says|claimed|asked|wrote|assumed|heard"
    r"|think\s+that\s+if"
    r"|last\s+(?:time|week|month|year)|yesterday|back\s+then|used\s+to)\b",
    re.IGNORECASE,
)
"""Before the words: somebody tells what was said or done earlier."""
_FINE_IF = (
    r"(?:see|check|ask|know|find\s+out|tell\s+\w+|confirm|figure\s+out|wonder|sure|decide|say"
    r"|even|as)\s+if\b"
    r"|\bif\s+(?:you\s+(?:can|like|want|don['’]?t\s+mind|wish|could)|possible|that['’]?s"
    r"|that\s+is|it['’]?s"
    r"|needed|necessary|i\s+can|not\b|so\b|anything\b)"
)
_IF = re.compile(r"\b(?:if|unless|in\s+case|provided|assuming)\b", re.IGNORECASE)
_FINE = re.compile(_FINE_IF, re.IGNORECASE)


def conditional(text: str) -> bool:
    """Whether what is said depends on a condition ("if they pay, I'll ..."), politeness aside."""
    return bool(_IF.search(_FINE.sub(" ", text)))


UNFINISHED = re.compile(
    r"\b(?:the|an?|to|of|with|and|or|but|than|i['’]?m|i|it['’]s|was|is|are|any|some|my|our|your"
    r"|if|because"
    r"|that\s+i|sort\s+of|kind\s+of|uh|um)$|^\w+\s+about$",
    re.IGNORECASE,
)
"""Words nobody stops at: the sentence broke off there."""


_CUT = re.compile(
    r",\s+or\s+(?:is|are|would|do|does|should|shall)\s|,?\s+(?:because|since\s+(?:we|i|they|it"
    r"|the)|cause\b|although|even\s+though|though\b|but\b|while\b|whereas)\s"
    r"|,\s+(?:(?:and|so|then|or)\s+)?(?:i|we|you|they|he|she|it|that|this|there|it['’]s|that['’]s"
    r"|i['’]m|i['’]ve|i['’]ll|you['’]ll|we['’]re|he['’]s|she['’]s|they['’]re|there['’]s)\s"
    r"|,?\s+and\s+(?-i:[A-Z][a-z]+)\s+(?:will|shall|is|can|takes|does|handles)\s"
    r"|\s+and\s+(?:then\s+)?(?:i|we|you|they|he|she|it)(?:['’](?:ll|m|re|ve|d|s))?\s"
    r"|\s+so\s+(?:that\s+)?(?:we|you|i|they|he|she|it|people|everybody|everyone)\s"
    r"|\s+(?:no\s+problem|okay|ok|right|alright|anyway|all\s+right|you\s+know|i\s+think|i\s+guess"
    r"|i\s+suppose)\s*[,.?!]"
    r"|,\s+(?:no\s+problem|okay|ok|right|alright|anyway|instead|then|too|thanks|thank\s+you"
    r"|please|which)\b"
    r"|\s+if\s+(?:you|that|it|possible|needed)\b|,?\s+as\s+long\s+as\s|[;:]\s|\s[–—-]\s",
    re.IGNORECASE,
)


def clause_end(text: str, start: int, end: int) -> int:
    """Where the clause that begins at ``start`` ends, before reasons, asides and the next one."""
    cut = _CUT.search(text, start + 1, end)
    stop = cut.start() if cut else end
    while stop > start and text[stop - 1] in " ,.;:!?…-–—":
        stop -= 1
    return stop
