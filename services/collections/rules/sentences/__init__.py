"""The sentences of a timeline (Spanish): one for each event that touches a customer, with who did it and by which rule.

`KEPT` are the types that a timeline keeps; an event without a sentence is nobody's story. What an event looks like is the published
language's affair, so a sentence is made when it is read, and a better wording is at once that of ten years.
"""

from services.collections.rules.sentences import billing, collecting, elsewhere
from services.collections.rules.sentences.base import KEPT, TOPICS, Said, Words, instant_of, is_kept, registered, say

__all__ = ["KEPT", "TOPICS", "Said", "Words", "billing", "collecting", "elsewhere", "instant_of", "is_kept", "registered", "say"]
