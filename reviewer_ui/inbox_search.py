"""The words of the inbox's search: ``tool:refund risk:high agent:shop job:job_… is:expiring mine``, and any others."""

from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from gateway.domain.permission import ME, NOBODY, PersonActor
from gateway.store.inbox import Wanted

RISKS = ("low", "medium", "high", "critical")
MAX_QUERY_CHARS = 200
_MEANS = dict.fromkeys(("mine", "is:mine"), f"assignee:{ME}")
EXPIRING, MINE = "is:expiring", "is:mine"


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. ``problems`` are sentences about words that mean nothing."""

    text: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    only_expiring: bool = False
    problems: tuple[str, ...] = ()

    def wanted_by(self, person: PersonActor) -> Wanted:
        """What this person looks for: “mine” is theirs."""
        return replace(self.wanted, assignee=person.id) if self.wanted.assignee == ME else self.wanted

    def address(self, path: str, **more: str) -> str:
        """The path with this search in its query, so that the pages behind it keep the list."""
        query = {"q": self.text, **more}
        told = urlencode({name: value for name, value in query.items() if value})
        return f"{path}?{told}" if told else path


def read_search(text: str) -> Search:
    """What these words look for; each narrows, and words without a colon stand in the title."""
    text = " ".join(text.split())[:MAX_QUERY_CHARS]
    named: dict[str, str] = {}
    words: list[str] = []
    risks: tuple[str, ...] = ()
    only_expiring = False
    problems: list[str] = []
    for word in (_MEANS.get(word.casefold(), word) for word in text.split()):
        name, colon, value = word.partition(":")
        name, value = name.casefold(), value.strip()
        if not colon or name not in {"tool", "risk", "agent", "job", "assignee", "is"}:
            words.append(word)
        elif not value:
            continue  # still being typed
        elif name == "risk":
            risks = tuple(dict.fromkeys(risk.casefold() for risk in value.split(",") if risk))
            if unknown := sorted(set(risks) - set(RISKS)):
                problems.append(f"There is no risk “{unknown[0]}”: it is low, medium, high or critical.")
        elif name == "is":
            only_expiring = word.casefold() == EXPIRING
            if not only_expiring:
                problems.append(f"“{word}” means nothing here: {EXPIRING} and {MINE} do.")
        elif (name == "tool" and "," in value) or (name in named and named[name] != value):
            problems.append(f"“{name}:” takes one value; only “risk:” takes several, like risk:high,critical.")
        else:
            named[name] = value
    whose = named.get("assignee", "").casefold() or None
    if whose not in {None, ME, NOBODY}:
        problems.append(f"“assignee:{whose}” means nothing here: assignee:{ME} and assignee:{NOBODY} do.")
        whose = None
    wanted = Wanted(
        tool=named.get("tool"),
        app=named.get("agent"),
        job_id=named.get("job"),
        assignee=whose,
        risks=risks,
        words=tuple(words),
    )
    return Search(text, wanted, only_expiring, tuple(problems))
