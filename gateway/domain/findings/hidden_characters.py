"""Characters that cannot be seen, named and counted."""

from collections import Counter
from itertools import islice

from gateway.domain.findings.finding import Finding
from gateway.domain.findings.strings import Text
from gateway.domain.hidden_text import code_of, hidden_places, name_of

MAX_COUNTED = 10_000
MAX_NAMED = 8


def find(text: Text) -> list[Finding]:
    """One finding if the text hides anything: which characters, and how often each."""
    places = list(islice(hidden_places(text.value), MAX_COUNTED + 1))
    if not places:
        return []
    counts = Counter(text.value[place] for place in places[:MAX_COUNTED])
    named = [
        f"{code_of(character)} {name_of(character)}" + (f" ({count} times)" if count > 1 else "")
        for character, count in counts.most_common(MAX_NAMED)
    ]
    if len(counts) > MAX_NAMED:
        named.append(f"{len(counts) - MAX_NAMED} more kinds")
    where = "The name hides" if text.is_key else "Hides"
    rest = f"; only the first {MAX_COUNTED:,} were counted" if len(places) > MAX_COUNTED else ""
    return [Finding("hidden_characters", text.pointer, f"{where} {', '.join(named)}{rest}.")]
