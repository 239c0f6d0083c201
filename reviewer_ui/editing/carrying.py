"""Arguments that changed while somebody edited them: their edits go along, the agent's change stays."""

from dataclasses import dataclass, field
from typing import Any

from gateway.domain import json_pointer
from gateway.domain.arguments import Change
from gateway.domain.json_rewrite import rewrite
from gateway.domain.json_text import Limits, LiteralValue, dump_literal, parse_literal
from gateway.domain.secret_places import Pointers, masked_change
from gateway.errors import GatewayError
from reviewer_ui.arguments import Edit, edits_of
from reviewer_ui.editing.draft import Asked
from reviewer_ui.editing.editor import Typed, edited_text, text_to_edit

_NOTHING: Any = object()  # where the one or the other has no such member


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The reviewer's edits on top of other arguments than they were made of."""

    typed: Typed
    came: list[Edit]  #: what is otherwise than the reviewer saw it
    kept: list[Edit]  #: their edits of what is as they saw it
    lost: list[Edit]  #: their edits of what changed too: ``before`` is what stands there now
    is_readable: bool = True  #: False: what they typed cannot be told from what they saw


def carry(typed: Typed, seen: str, details: str, secrets: Pointers, limits: Limits) -> Carried:
    """What was typed over ``seen`` as an edit of ``details``: only what the reviewer changed, and only where nobody
    else did. ``seen`` is the text that the form was made of, as ``text_to_edit`` gives it."""
    now_text = text_to_edit(details, Asked(parse_literal(details, limits), secrets), limits)
    came = edits_of(seen, now_text, secrets, limits)
    try:
        mine_text = edited_text(typed, seen, (), limits)
        before = parse_literal(seen, limits)
        mine = before if mine_text is None else parse_literal(mine_text, limits)
        now = parse_literal(now_text, limits)
    except GatewayError:
        return Carried(typed=Typed(), came=came, kept=[], lost=[], is_readable=False)
    merging = _Merging(secrets)
    merged = rewrite(now_text, merging.merge((), before, mine, now), limits)
    return Carried(
        typed=Typed(json_text=merged), came=came, kept=edits_of(now_text, merged, secrets, limits), lost=merging.lost
    )


@dataclass(slots=True)
class _Merging:
    secrets: Pointers
    lost: list[Edit] = field(default_factory=list)

    def merge(
        self, path: tuple[str | int, ...], before: LiteralValue, mine: LiteralValue, now: LiteralValue
    ) -> LiteralValue:
        if mine in (before, now):
            return now
        if now == before:
            return mine
        match before, mine, now:
            case dict(), dict(), dict():
                return self._members(path, before, mine, now)
            case list(), list(), list() if len(before) == len(mine) == len(now):
                triples = zip(before, mine, now, strict=True)
                return [self.merge((*path, index), *triple) for index, triple in enumerate(triples)]
        edit = Change(json_pointer.from_path(path), "changed", _json(now), _json(mine))
        hidden = masked_change(edit, self.secrets)
        self.lost.append(Edit(hidden.pointer, hidden.before, hidden.after))
        return now

    def _members(
        self,
        path: tuple[str | int, ...],
        before: dict[str, LiteralValue],
        mine: dict[str, LiteralValue],
        now: dict[str, LiteralValue],
    ) -> LiteralValue:
        sides = (before, mine, now)
        merged = {
            key: self.merge((*path, key), *(side.get(key, _NOTHING) for side in sides)) for key in {**now, **mine}
        }
        return {key: value for key, value in merged.items() if value is not _NOTHING}


def _json(value: LiteralValue) -> str | None:
    return None if value is _NOTHING else dump_literal(value)
