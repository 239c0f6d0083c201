"""A JSON text with some of its values changed: all the rest stays as it was written, character by character."""

from itertools import takewhile

from gateway.domain.json_text import LIMITS, Limits, LiteralValue, compact, dump_literal, entries, parse_literal


def rewrite(text: str, value: LiteralValue, limits: Limits = LIMITS) -> str:
    """A document that means ``value``, in the words of ``text`` wherever the two mean the same.

    The order of keys counts for nothing. Objects and arrays of another length
    are written anew around their members; equal values give back ``text``.
    Raises: as ``json_text.parse``.
    """
    before = parse_literal(text, limits)
    if before == value:
        return text
    start = len(text) - len(text.lstrip(" \t\r\n"))
    end = len(text.rstrip(" \t\r\n"))
    return text[:start] + _written(text, start, end, before, value) + text[end:]


def _written(text: str, start: int, end: int, before: LiteralValue, after: LiteralValue) -> str:
    if before == after:
        return text[start:end]
    match before, after:
        case dict(), dict():
            return _object(text, start, end, before, after)
        case list(), list():
            return _array(text, start, end, before, after)
        case _:
            return dump_literal(after)


def _object(text: str, start: int, end: int, before: dict[str, LiteralValue], after: dict[str, LiteralValue]) -> str:
    places = [(str(name), at, to) for name, at, to in entries(text, start)]
    kept = [
        (name, at, to, _written(text, at, to, before[name], after[name])) for name, at, to in places if name in after
    ]
    if before.keys() == after.keys():
        return _spliced(text, start, end, [(at, to, new) for _, at, to, new in kept])
    members = [f"{compact(name)}: {new}" for name, _, _, new in kept]
    members += [f"{compact(name)}: {dump_literal(item)}" for name, item in after.items() if name not in before]
    return "{" + ", ".join(members) + "}"


def _array(text: str, start: int, end: int, before: list[LiteralValue], after: list[LiteralValue]) -> str:
    places = [(at, to) for _, at, to in entries(text, start)]
    if len(before) == len(after):
        triples = zip(places, before, after, strict=True)
        return _spliced(
            text, start, end, [(at, to, _written(text, at, to, old, new)) for (at, to), old, new in triples]
        )
    # Items behind one that was taken out are the same as before, in another place.
    behind = _equal_at_the_end(before, after)
    old_end, new_end = len(before) - behind, len(after) - behind
    triples = zip(places[:old_end], before[:old_end], after[:new_end], strict=False)
    items = [_written(text, at, to, old, new) for (at, to), old, new in triples]
    items += map(dump_literal, after[old_end:new_end])
    items += [text[at:to] for at, to in places[old_end:]]
    return "[" + ", ".join(items) + "]"


def _equal_at_the_end(before: list[LiteralValue], after: list[LiteralValue]) -> int:
    pairs = zip(reversed(before), reversed(after), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _spliced(text: str, start: int, end: int, parts: list[tuple[int, int, str]]) -> str:
    pieces, at = [], start
    for begins, ends, new in parts:
        pieces += [text[at:begins], new]
        at = ends
    return "".join([*pieces, text[at:end]])
