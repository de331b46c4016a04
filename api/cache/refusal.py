"""Whether an answer that reads like any other declines to answer: it says what the model would not do, not what is so.

Models say it in the first sentence, with few words. An answer that is taken for a refusal by mistake is written again
by the engine and costs no more than that, while a refusal that is kept denies everybody an answer for a day.
"""

from __future__ import annotations

import re

# Longer answers say more than no.
_MAX_CHARACTERS = 600
_UNABLE = r"""(?:
    can\s*not | can't | could\s*n't | wo\s*n't | will\s+not | do\s+not\s+have | do\s*n't\s+have
    | (?:am|'m|are|'re)\s+(?:unable\s+to|not\s+able\s+to|not\s+allowed\s+to|not\s+comfortable)
    | (?:must|have\s+to)\s+decline
)"""
_REFUSAL = re.compile(
    rf"""\s*(?:
        (?:i'm|i\s+am|we're|we\s+are)\s+(?:very\s+|really\s+|so\s+)?(?:sorry|afraid)\b
      | (?:my\s+)?apologies\b | i\s+apologi[sz]e\b | sorry\b
      | (?:unfortunately|regrettably),?\s+(?:i|we)\s*{_UNABLE}
      | (?:i|we)\s*{_UNABLE}
      | as\s+an?\s+(?:ai|artificial|large\s+language|language)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def declines(text: str) -> bool:
    """Of a whole answer in English."""
    return len(text) <= _MAX_CHARACTERS and _REFUSAL.match(text.replace("\u2019", "'")) is not None
