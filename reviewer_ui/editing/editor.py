"""One editing of a call's arguments: what was typed, what it means, and how the page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain import secret_places
from gateway.domain.arguments import Change, changes
from gateway.domain.json_rewrite import rewrite
from gateway.domain.json_text import Limits, parse_literal
from gateway.domain.secret_places import Pointers
from gateway.errors import GatewayError, InvalidDetails, InvalidJson, TooLarge
from reviewer_ui.editing.changes import ChangeView, summary, view_changes
from reviewer_ui.editing.control_name import COUNT, KEY, SET
from reviewer_ui.editing.draft import MAX_NODES, Asked, Node, draft_of, masked_value, reveal_in, unmasked, value_of
from reviewer_ui.editing.posted import read_draft
from reviewer_ui.editing.shape import Shape, shape_of
from reviewer_ui.editing.view import Field, view_draft
from reviewer_ui.marking import escape_hidden

VIEWS = ("form", "json", "changes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What the editor sent: the fields of its form, or its JSON, or neither."""

    fields: Mapping[str, str] = field(default_factory=dict)
    json_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """What the page shows of the editing."""

    view: str
    form: Field | None  #: None where the arguments have too many values for one
    json_text: str  #: what the text area holds
    seen: str  #: the arguments as asked, as ``text_to_edit`` gives them: what every edit is made of
    changes: tuple[Change, ...]  #: empty when nothing changed, or when that cannot be told
    is_edited: bool
    errors: list[dict[str, str]]  #: that have no field of their own on this page
    compared: list[ChangeView]  #: the changes, for people
    typed_text: str  #: all that was typed, in one text

    @property
    def error_id(self) -> str | None:
        """The first control of the form with something wrong in it, by its id."""
        return _first_wrong(self.form) if self.form is not None and self.view == "form" else None

    @property
    def summary(self) -> str:
        """What will run otherwise than asked, in one sentence; empty when nothing will."""
        return summary(self.compared)

    @property
    def button(self) -> str:
        """What the approving button says."""
        if not self.is_edited:
            return "Approve as asked"
        if not self.changes:
            return "Approve with edits"
        return f"Approve with {len(self.changes)} edit{'' if len(self.changes) == 1 else 's'}"


def text_to_edit(text: str, asked: Asked, limits: Limits) -> str:
    """The arguments as the text area holds them: secrets masked, what hides written as escapes, all else exact."""
    return escape_hidden(rewrite(text, masked_value(parse_literal(text, limits), asked), limits))


def edited_text(typed: Typed, details: str, secrets: Pointers, limits: Limits) -> str | None:
    """The arguments that were typed, exact; None when they are the asked ones.

    The form changes only the literals that were edited in the asked text; JSON
    is taken as it was typed. Raises: InvalidDetails; InvalidJson; TooLarge;
    InvalidRequest for a form that is not one of ours.
    """
    asked = Asked(parse_literal(details, limits), secrets)
    draft = read_draft(typed.fields)
    if draft is not None:
        value = value_of(draft, asked, limits)
        return None if value == asked.value else rewrite(details, value, limits)
    if typed.json_text is None or typed.json_text == text_to_edit(details, asked, limits):
        return None
    text = secret_places.unmasked(typed.json_text, details, secrets, limits)
    value = parse_literal(text, limits)
    errors: list[dict[str, str]] = []
    meant = unmasked(value, asked, (), errors)
    if errors:
        raise InvalidDetails(errors=errors)
    return None if meant == asked.value else rewrite(text, meant, limits)


def draft_in(typed: Typed, details: str, shape: Shape, asked: Asked, limits: Limits) -> Node:
    """What was typed as a draft, or what was asked. Raises: as ``edited_text``."""
    draft = read_draft(typed.fields)
    if draft is not None:
        if asked.revealed is not None:
            reveal_in(draft, asked)
        return draft
    edited = edited_text(typed, details, asked.secrets, limits)
    return draft_of(parse_literal(details if edited is None else edited, limits), shape, asked)


def edit(
    typed: Typed,
    details: str,
    schema_text: str | None,
    secrets: Pointers,
    limits: Limits,
    *,
    view: str = "form",
    error: GatewayError | None = None,
    revealed: str | None = None,
) -> Editor:
    """The editor as the page shows it, with all that was typed. A text that is no JSON stays where it was typed."""
    asked, shape = Asked(parse_literal(details, limits), secrets, revealed), shape_of(schema_text)
    edited, refusal = _attempt(typed, details, secrets, limits)
    errors = _errors(error) or _errors(refusal)
    if refusal is not None:
        view = "form" if typed.fields else "json"  # what is wrong can be put right only where it was typed
    form = None if refusal is not None and not typed.fields else _form(typed, details, shape, asked, limits, errors)
    if view == "form" and form is None:
        view = "json"
    shown = set(_pointers(form)) if form is not None and view == "form" else set()
    made = changes(details, edited, limits) if edited is not None else ()
    json_text = _json_text(typed, details if edited is None else edited, asked, limits)
    return Editor(
        view=view if view in VIEWS else "form",
        form=form,
        json_text=json_text,
        seen=text_to_edit(details, Asked(asked.value, secrets), limits),
        changes=made,
        compared=view_changes(made, secrets, limits),
        typed_text=plain_text(typed) if refusal is not None and typed.fields else json_text,
        is_edited=edited is not None or refusal is not None,
        errors=[one for one in errors if one["pointer"] not in shown],
    )


def plain_text(typed: Typed) -> str:
    """All that was typed, to be read and copied."""
    lines = [f"{name} = {text}" for name, text in typed.fields.items() if not name.endswith((SET, COUNT, KEY))]
    return "\n".join(lines) if lines else typed.json_text or ""


def _errors(error: GatewayError | None) -> list[dict[str, str]]:
    """What is wrong with the arguments, place by place."""
    match error:
        case InvalidDetails():
            return list(error.facts.get("errors", []))
        case InvalidJson() | TooLarge():
            return [{"pointer": str(error.facts.get("pointer", "")), "message": error.message}]
        case _:
            return []


def _attempt(typed: Typed, details: str, secrets: Pointers, limits: Limits) -> tuple[str | None, GatewayError | None]:
    try:
        edited = edited_text(typed, details, secrets, limits)
        if edited is not None:
            parse_literal(edited, limits)  # what was typed in the form may be too large only now
        return edited, None
    except GatewayError as refusal:
        return None, refusal


def _form(
    typed: Typed,
    details: str,
    shape: Shape,
    asked: Asked,
    limits: Limits,
    errors: list[dict[str, str]],
) -> Field | None:
    try:
        draft = draft_in(typed, details, shape, asked, limits)
    except GatewayError:
        return None
    if draft.kind != "object" or draft.count() > MAX_NODES:
        return None
    return view_draft(draft, shape, asked, {one["pointer"]: one["message"] for one in errors})


def _json_text(typed: Typed, text: str, asked: Asked, limits: Limits) -> str:
    return text_to_edit(text, asked, limits) if typed.json_text is None else escape_hidden(typed.json_text)


def _first_wrong(field: Field) -> str | None:
    if field.kind not in {"object", "array"}:
        return field.id if field.error else None
    return next((found for child in field.fields if (found := _first_wrong(child))), None)


def _pointers(form: Field) -> list[str]:
    return [form.pointer, *(pointer for child in form.fields for pointer in _pointers(child))]
