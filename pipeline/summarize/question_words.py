"""How people ask what the notes should hold, what only keeps talk going, and how they answer."""

from __future__ import annotations

import re

from pipeline.summarize.wording import LEAD, Wording

_AUX = r"(?:do|does|did|is|are|was|were|can|could|will|would|should|shall|have|has|had|may|must)(?:n['’]?t)?"
_SUBJECT = (
    r"(?:we|you|i|they|he|she|it|the|a|an|our|that|there|this|these|those|my|your|his|her|their"
    r"|its|any"
    r"|anybody|anyone|everybody|everyone|somebody|someone|people)"
)
INVERTED = re.compile(
    rf"{LEAD}(?:(?:and|but|or|if\b[^,?]*),?\s+)?(?:(?:what|when|where|who|whom|why|how|which"
    rf"|whose)\b"
    rf"(?:\s+(?!(?:we|you|i|they|he|she|it|that|is|are)\b)[\w'’-]+){{0,3}}?\s+{_AUX}\s+{_SUBJECT}\b"
    rf"|(?!(?:have|had|has)\s+(?:an?|the|that|this|your|my|our)\b){_AUX}\s+{_SUBJECT}\b)",
    re.IGNORECASE,
)
"""The word order of a question, for text that lost its question mark."""
WH = re.compile(
    r"^(?:[^?]*?[,;]\s+)?(?:(?:and|but|or|so|also)\s+)?(?P<wh>what|when|where|who|whom|why|how"
    r"|which|whose)\b(?!,)",
    re.IGNORECASE,
)
YES_NO = re.compile(rf"^(?:[^?]*?[,;]\s+)?(?:(?:and|but|or|so|also)\s+)?{_AUX}\s", re.IGNORECASE)
QUANTITY = re.compile(
    r"\b(?:how\s+(?:many|much|long|often|far|old|big|large|fast|high)|what\s+(?:percentage|number"
    r"|amount|time|day|date"
    r"|price|year)|when|what\s+(?:is|was|are|were)\s+the\s+(?:\w+\s+)?(?:price|cost|number|total"
    r"|peak|budget|rate|deadline))\b",
    re.IGNORECASE,
)
KINDNESS = Wording(
    r"\bhow(?:'s| is| are| was| were) (?:you|your|the|it|everybody|everyone|things|life|that|we)\b",
    r"\bhow (?:do|did|does) (?:you|it|that|everybody|everyone) (?:feel|go|like|look|sound)\b",
    r"\bwhat(?:'s| is) (?:up|new|on your mind|wrong|the matter|going on|happening|next|that"
    r"|this)\b",
    r"\b(?:are|is) (?:you|everybody|everyone|we|that|it|this) (?:sure|ok|okay|all right|alright"
    r"|ready|done|good|there|here|all here|happy|clear|fine|right|serious|kidding)\b",
    r"\bwhere did you land\b",
    r"\bwhat do (?:you|people|we)(?: all| guys| lot)? (?:think|mean|say|reckon|want)\b",
    r"\bdon't (?:hesitate|worry|forget|bother)\b",
    r"\bhave an? ",
    r"\b(?:or|and|of|the|our|an?|maybe|if|but|so|to|that you)\s*\?$",
    r"\b(?:do|does|did|can|could) (?:you|anybody|anyone|everybody|everyone|that|we) (?:hear"
    r"|see me|follow|understand|know what I mean|make sense|have a (?:minute|moment|second))\b",
    r"\bwhat would (?:[^?]*) (?:look|be) like\b",
    r"\bwhat (?:does|do) (?:[^?]*) mean by\b",
    r"\b(?:anything|anybody|anyone|something) (?:else|to add|more)\b",
    r"^(?:is |are |was |were )?(?:there )?(?:anything|anybody|anyone|any (?:other|more|further"
    r"|questions|corrections|comments|objections|thoughts|ideas|updates|news|business|suggestions"
    r"|remarks|feedback))\b",
    r"\bany (?:other business|questions|corrections|comments|objections|thoughts)\b",
    r"\b(?:are|is) there any (?:other |more |further )?(?:questions|corrections|comments"
    r"|objections|thoughts|suggestions)\b",
    r"\ball (?:those )?in favou?r\b",
    r"\bwho (?:wants|would like|is going|'s going|goes|starts|is next|'s next|knows|cares"
    r"|does that|did that|else|says|said|said that)\b",
    r"\bwho does (?:that|this)\b",
    r"\bguess (?:what|who|how|where)\b",
    r"\b(?:right|okay|ok|yeah|hm+|huh|eh|no|yes|see|correct|alright)\s*\?$",
    r"\bwhat am I\b",
    r"\bwhere (?:was|were) (?:I|we)\b",
    r"\bhow (?:do you|would you) (?:spell|say|pronounce)\b",
    r"\bcan I (?:just |quickly )?(?:ask|say|add|interrupt|stop)\b",
    r"\b(?:why|how|who|when) (?:did|do|does|would|will) (?:we|you|they|I|he|she|anybody"
    r"|anyone) ever\b",
    r"\beven (?:notice|care|know|matter|exist|bother|remember)s?\b",
    r"\bwould (?:anybody|anyone|somebody|someone|you|they) (?:all )?(?:object|mind)\b",
    r"\b(?:could|can|should) (?:it|that|this|they) go to\b",
    r"\bhow come\b",
    r"\bwhat the\b",
    r"\bwhy not\b",
    r"\bis (?:that|it|this) what\b",
    r"\bdo (?:you|we) (?:know what|get|see what|think so)\b",
    r"\bwhat else\b",
    r"\b(?:is|are|does|do|would|will) [^?]*(?:okay|ok|fine|good|work|suit|all right) (?:for "
    r"|with |by )?(?:you|everybody|everyone|us|all)\b",
    r", (?:do|does|did|is|are|was|were|can|could|will|would|should|have|has|had)(?:n't)? (?:it|we"
    r"|you|they|he|she|I|there|that)\s*\?$",
    r"\b(?:what if|what about|how about|why don't)\b",
    r"(?:^|, )you know\s*\?$",
    r"\bwhat (?:should|shall|do|are|can|will) (?:we|I) (?:do|doing|see|say|talk|discuss|start"
    r"|have)(?: (?:now|next|here|first|today|about))*\s*\?",
)
"""Courtesy, steering, rhetoric: no questions for the notes."""
ABOUT = Wording(r"\b(?:what if|what about|how about|why don't)\b")
"""Of these, what may lay something open."""
LATE = re.compile(
    r"(?:\b(?:is|are|was|were)|['’](?:s|re))\s+(?:how\s+(?:much|many|long|far|old|big)|when|where"
    r"|who|what)"
    r"(?:\s+(?:again|now|exactly|then))?\s*\?$",
    re.IGNORECASE,
)
""" "The rent is how much again?"."""
TOPIC = re.compile(
    r"^(?:(?:okay|ok|so|right|good|now|well|but)\b,?\s+)*(?:what\s+about|how\s+about|and)\s+"
    rf"(?!{_AUX}\b)"
    r"(?!(?:you|me|us|him|her|them|it|that|this|if|we|i|what|when|where|which|whose|who|how|why"
    r"|so|then|now|yes|no)\b)"
    r"(?:[^\s,?]+\s+){0,4}[^\s,?]+\?$",
    re.IGNORECASE,
)
""" "What about the rent?", "And the rent?": a question if nobody can tell, or a figure follows."""
KNOWS = re.compile(
    r"^(?:(?:so|and|but|okay|well)\b,?\s+)*(?:does|do|did)\s+(?:anyone|anybody|somebody|someone"
    r"|you|we)"
    r"\s+(?:happen\s+to\s+)?(?:know|remember)\s+(?=(?:what|when|where|who|why|how|which|whether"
    r"|if)\b)",
    re.IGNORECASE,
)
UNTOLD = re.compile(
    r"\b(?:could(?:n['’]?t|\s+not)|can['’]?t|cannot)\s+(?:(?:yet|honestly|really)\s+)?(?:say"
    r"|tell(?:\s+(?:me|us|you))?)"
    r"(?:\s+is)?\s+(?P<what>whether\b.*)",
    re.IGNORECASE,
)
""" "I couldn't say whether it fits.": an open question told."""
IF_WERE = re.compile(
    rf"{LEAD}(?:were\s+{_SUBJECT}\s+to\b|had\s+(?:we|i|you|they|it|he|she)\b|should\s+(?:you|it"
    rf"|they|he|she)\b)",
    re.IGNORECASE,
)
""" "Were we to sign": a condition, unless it has a question mark."""
NEXT_POINT = re.compile(
    r"^(?:(?:okay|so|right|now)\b,?\s+)*(?:(?:last|next|final|another|one\s+more|first|second"
    r"|third)\s+(?:point|thing"
    r"|item|question|topic|one)\b|next\b[.,:]|finally\b|moving\s+on)",
    re.IGNORECASE,
)
FIGURE = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty"
    r"|forty"
    r"|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|dozen|percent|dollars|euros"
    r"|pounds)\b",
    re.IGNORECASE,
)
FIGURE_FIRST = re.compile(
    rf"^(?:(?:well|so|um|it['’]s|it\s+is|that['’]s|they['’]re|about|around|roughly|some|nearly"
    rf"|almost|over|under|still|now|at)\b,?\s+)*"
    rf"(?:{FIGURE.pattern})",
    re.IGNORECASE,
)
JUST_SAID = re.compile(r"\b(?:is|was|are|does)\s+that\b", re.IGNORECASE)
""" "How many is that?" asks back; it is no question of its own."""
POINTER = re.compile(r"\b(?:it|that|this|they|them|those|he|she)\b", re.IGNORECASE)
FOR_IT = re.compile(
    r"\b(?:can|could|will|would|do|might)\s+(?:you|we)\b.*\b(?:give|send|have|get|expect|see"
    r"|show)\b",
    re.IGNORECASE,
)
"""Asks when somebody will deliver."""
PLACE = re.compile(
    r"^(?:it|they|that|those)(?:['’](?:s|re)|\s+(?:is|are))\s+(?:still\s+|all\s+)?(?:with|in|at"
    r"|on|under|behind|over|down"
    r"|up|next)\b",
    re.IGNORECASE,
)
WHO = re.compile(rf"{LEAD}who\b", re.IGNORECASE)
A_THING = re.compile(r"^(?:an?|the|one|two|three|some|our|my|your)\s+\w", re.IGNORECASE)
A_PERSON = re.compile(
    r"\b(?:i|me|we|us|he|she|they|him|her|them|you|nobody|everybody|everyone|somebody)\b"
    r"|(?<=\s)(?-i:[A-Z])[a-z]+|^(?-i:[A-Z])[a-z]+(?:[.,]|$|\s+(?:does|did|is|was|has|will))",
    re.IGNORECASE,
)
SUGGESTION = re.compile(
    rf"{LEAD}(?:(?:and|but|or|if\b[^,?]*),?\s+)?(?:shall\b|should\b|would\s+(?:it|you|that)\b"
    r"|could\s+(?:we|i|you)\b|can\s+(?:we|i|you)\b|will\s+you\b|would\s+(?:we|i)\b|do\s+(?:you"
    r"|we)\s+(?:want|wish|need|mind|like|prefer)\b|may\s+i\b|might\s+(?:we|i)\b)",
    re.IGNORECASE,
)
"""Asked to propose, to offer or to be polite; a question of the notes only if nobody knows."""
LEADING = re.compile(
    rf"{LEAD}(?:(?:and|but|or),?\s+)?(?:do|does|did|is|are|was|were|can|could|will|would|should"
    rf"|have|has|had)n['’]?t\s",
    re.IGNORECASE,
)
TAG = re.compile(
    r",?\s+(?:do\s+(?:you|we)\s+know|does\s+(?:anybody|anyone|somebody)\s+(?:know|remember)"
    r"|by\s+the\s+way"
    r"|do\s+you\s+remember|anybody|anyone)\s*\?$",
    re.IGNORECASE,
)

UNKNOWN = Wording(
    r"\b(?:I|we|nobody|no one|they) (?:honestly |really |just |still |actually |truly "
    r"|also )*(?:don't|do not|doesn't|does not|didn't) (?:honestly |really |actually |yet "
    r"|even )*know\b(?! (?:how|why) (?:I|we) feel)",
    r"\bno (?:idea|clue)\b",
    r"\b(?:don't|doesn't|didn't) have (?:an?|any|the) (?:good |real |clear |final |firm )?(?:idea"
    r"|clue|answer|number|date|figure)\b",
    LEAD + r"don't (?:really |actually )?know\b",
    r"\b(?:it's|that's|it is|that is) (?:only |just |really )?a guess\b",
    r"\b(?:nobody|no one) (?:has |had )?(?:ever |really |even |yet )*(?:looked|checked|asked"
    r"|counted"
    r"|measured|tried|written)\b",
    r"\b(?:I|we) (?:can't|cannot|couldn't|can not|wouldn't|should not like to|wouldn't like to"
    r"|would not like to|don't want to|am not able to) (?:honestly |really |yet |even )*(?:say"
    r"|tell|promise|answer|know)\b",
    r"\bnobody (?:has )?(?:told|knows|knew|said)\b",
    r"\bI(?:'m| am) not (?:really |entirely |quite |completely |so )?sure\b",
    r"\bhard to (?:say|tell)\b",
    r"\bgood question\b",
    r"\b(?:it |that |this )?depends\b",
    r"\b(?:have|has|will have|we'd have|I'd have) to (?:wait|find out|look|check|ask)\b",
    r"\b(?:we'll|we will) (?:see|have to see|find out)\b",
    r"\b(?:too early to|remains to be seen|not clear yet|unclear|still open|stays? open"
    r"|remains? open|not decided|to be decided|up in the air)\b",
    r"\bleave (?:that|this|it|the|that question|this question)(?: question)? (?:open|to the"
    r"|for (?:now|the|next))\b",
    r"\bnot (?:yet|known|that I know)\b",
    r"\bI(?:'d| would) (?:first )?have to (?:first )?(?:look|check|ask|see|get|find|count"
    r"|measure)\b",
    r"^(?:(?:well|um|uh|oh|hm+|honestly|no|sorry|I'm|I am|we're|we are)[,.]? )*(?:still )?waiting"
    r" (?:on|for|to hear)\b",
    r"^(?:(?:well|um|uh|oh|hm+|honestly|no|sorry)[,.]? )*not (?:really |entirely |quite |completely"
    r" |so |at all )?sure\b",
    r"\bI(?:'d| would|'ll| will)? need to (?:check|ask|look|find out)\b",
    r"\bnever been (?:really |entirely |quite |completely )?clear\b",
    r"\bhaven't (?:heard|got an answer|decided|checked|looked|asked)\b",
    r"\b(?:hasn't|haven't) answered\b",
    r"\bwish I knew\b",
    r"\bbeats me\b",
)
"""Nobody knows, or not now."""
PARKED = Wording(
    r"\b(?:let's|we|I'd|we'll|let us) (?:can |should |will )?(?:park|table|postpone|come back to"
    r"|leave) (?:that|this|it)\b",
    r"\b(?:stays?|remains?|is still|are still|leave (?:that|it|this|that question"
    r"|this question)) open\b",
    r"\btake (?:that|this|it) offline\b",
    r"\bleave (?:that|this|the) question\b",
)
DEFERRED = Wording(
    r"\b(?:we'll|we will|we can|we should|let's|let us|I'll|I will|I'd rather|we) (?:just |then |all"
    r" )*(?:decide|choose|settle|rule|vote)(?: it| that| this| on (?:it|that|this))?"
    r" (?:on|at|in|next|tomorrow|later|after|once|when|then|another)\b",
    r"\bnot (?:today|tonight|now)(?=[.,;!]|$)",
    r"\b(?:cross|crossing) that bridge\b",
    r"\b(?:come|get|go) back to (?:it|that|this)\b",
    r"\b(?:let's|let us|I'd|we'll|we should|I'll|we) (?:rather |just |then )*(?:park|table|postpone"
    r"|shelve|defer|revisit|sleep on)\b",
    r"\blet me (?:think|sleep on)\b",
    r"\b(?:I|we) (?:want|need|have|would like) to [^.]*\bbefore (?:I|we) (?:commit|decide|choose"
    r"|say)\b",
    r"\b(?:leave|keep) (?:it|that|this) open\b",
    r"\b(?:another|some other) (?:day|time)(?=[.,;!]|$)",
)
"""A choice is put off, whatever was thought of it before."""
NOT_YET = re.compile(
    r"^(?:(?:um+|uh+|er+|well|no|sorry|oh|honestly)\b[,.]?\s+)*not\s+yet\b", re.IGNORECASE
)
""" "Not yet." answers "has it?"."""
UNTIL = re.compile(
    r"^(?:(?:um+|uh+|well|yes|but|only|just)\b[,.]?\s+)*(?:until|till|only|since|as\s+of)\s+\w",
    re.IGNORECASE,
)
CHECKING = Wording(
    r"^(?:checking|looking|searching|one (?:second|sec|moment|minute)|just a (?:second|sec|moment"
    r"|minute)|give me a (?:second|sec|moment|minute)|hang on|hold on|let me (?:check|look|see"
    r"|think))\b",
)
NAMES_QUESTION = Wording(
    r"\b(?:leave|keep) (?:that|this|the) question\b",
    r"\b(?:that|this)(?:'s| is) (?:still )?(?:an open|a good|a difficult|a hard) question\b",
    r"^(?:that's a |that is a )?good question(?=[.,!]|$)",
    r"\b(?:that|this|the) question (?:stays|remains|is still|is) open\b",
)
"""Says that what went before was a question, whatever an engine made of it."""
FOUND = Wording(
    r"^(?:okay |ok |so |right |ah |oh )*(?:got it|found it|here it is|I have it|I've got it"
    r"|there it is)\b"
)
YES = re.compile(
    r"^(?:(?:oh|ah|well|um+|uh+|er+|hm+|so|honestly|actually|i\s+think|i\s+believe|in\s+fact"
    r"|apparently)[,.\s]+)*"
    r"(?:yes|yeah|yep|yup|no|nope|nah|correct|sure|of\s+course|absolutely|definitely|certainly"
    r"|not\s+(?:really|any|at\s+all|yet|entirely)|partly|mostly|in\s+part|to\s+some\s+extent"
    r"|more\s+or\s+less"
    r"|exactly|indeed|(?:we|i|it|they|he|she|you|that|there)\s+(?:do|does|did|is|are|was|were|can"
    r"|could|will|would|have|has|should)(?:n['’]?t|\s+not)?\b"
    r"|i\s+think\s+so|i\s+don['’]?t\s+think\s+so|that['’]s\s+(?:right|correct|true)|it['’]s"
    r"|we['’]re|they['’]re)\b",
    re.IGNORECASE,
)
_NUMBER = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty"
    r"|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|hundred|thousand|million|half|dozen|none|zero|couple|few|most|all"
    r"|several)\b"
)
_TIME = (
    r"\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april"
    r"|may|june|july|august"
    r"|september|october|november|december|today|tonight|tomorrow|yesterday|week|month|year|noon"
    r"|morning|afternoon"
    r"|evening|spring|summer|autumn|winter|soon|now|after|before|already|o['’]clock)\b"
)
AMOUNT = re.compile(rf"{_NUMBER}|{_TIME}", re.IGNORECASE)
"""An answer to a question for a number or a time has one of these."""
CORRECTION = re.compile(
    r"\b(?:no,\s+(?:that['’]?s|wait|sorry)|wait|i\s+mean|sorry|correction|let\s+me\s+correct"
    r"|i\s+read\s+the\s+wrong|that['’]?s\s+wrong"
    r"|i\s+beg\s+your\s+pardon|actually\s+it['’]?s)\b",
    re.IGNORECASE,
)
OPENING = re.compile(
    rf"^(?:[^?,;]{{1,24}}[,;]\s+){{1,2}}(?=(?:(?:what|when|where|who|whom|why|how|which|whose)\b"
    rf"|{_AUX}\s+{_SUBJECT}\b))",
    re.IGNORECASE,
)
"""A greeting or a name before the question itself."""
