"""From a posted form to what a reviewer says, and back to what they typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.domain import secret_places
from gateway.domain.approval import Approve, Choice, Reject, Respond, Verdict
from gateway.domain.execution import Resolution
from gateway.domain.json_text import Limits
from gateway.domain.moment import read_rfc3339
from gateway.domain.permission import NOBODY
from gateway.errors import GatewayError, InvalidDetails, InvalidJson, InvalidRequest, NoteRequired, TooLarge
from gateway.store.tables import Approval
from gateway.usecases.approvals import Ruling
from gateway.web.limits import MAX_NOTE_CHARS, MAX_RESPONSE_CHARS, MAX_RESULT_CHARS
from reviewer_ui.editing import editor
from reviewer_ui.editing.control_name import fields_of
from reviewer_ui.reasons import REASONS

CHANNEL = "page"  #: decisions made here can be undone until they are released

SURE = "yes"  #: what the field ``sure`` holds once somebody was asked whether a critical call is really to run


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody typed, to be shown again if it was refused."""

    details_sha256: str = ""
    note: str = ""
    reason: str = ""
    response: str = ""
    modified_details: str | None = None  #: the arguments' text area; None when the form had none
    arguments: Mapping[str, str] = field(default_factory=dict)  #: the arguments' fields by name, if the form had them
    seen: str = ""  #: the arguments that the form was made of
    view: str = "form"  #: of the arguments
    result: str = ""

    def is_about(self, details_sha256: str) -> bool:
        """False for what was typed over other arguments."""
        return self.details_sha256 in {"", details_sha256}

    @property
    def edit(self) -> editor.Typed:
        """What was typed into the arguments."""
        return editor.Typed(fields=self.arguments, json_text=self.modified_details)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a person found out about a call in doubt."""

    resolution: Resolution
    result: str | None
    note: str


def typed_of(form: Mapping[str, str]) -> Typed:
    return Typed(
        details_sha256=form.get("details_sha256", ""),
        note=form.get("note", ""),
        reason=form.get("reason", ""),
        response=form.get("response", ""),
        modified_details=form.get("modified_details"),
        arguments=fields_of(form),
        seen=form.get("seen", ""),
        view=form.get("view") or form.get("shown_view", "form"),
        result=form.get("result", ""),
    )


def with_arguments(typed: Typed, arguments: Mapping[str, str]) -> Typed:
    """What was typed, with these fields in the place of all that was typed into the arguments."""
    return replace(typed, arguments=arguments, modified_details=None, view="form")


def typed_fields(form: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form from which ``typed_of`` reads."""
    names = ("details_sha256", "note", "reason", "response", "modified_details", "seen", "view", "shown_view", "result")
    return {name: form[name] for name in names if name in form} | fields_of(form)


def ruling_of(form: Mapping[str, str], call: Approval, limits: Limits) -> Ruling:
    """What the form says about this call.

    Raises: InvalidRequest naming the field; as ``editor.edited_text``.
    """
    typed = typed_of(form)
    choice = _choice(form.get("verdict"), typed, call, limits)
    note = _text(typed.note, "note", MAX_NOTE_CHARS)
    reason = typed.reason if isinstance(choice, Reject) and typed.reason in REASONS else None
    return Ruling(
        choice=choice,
        details_sha256=typed.details_sha256,
        note=REASONS[reason] if reason and note is None else note,
        reason_code=reason,
        channel=CHANNEL,
    )


def check_sure(form: Mapping[str, str], risk: str) -> None:
    """Raises: InvalidRequest when a critical call is approved by somebody who was not asked once more."""
    if risk == "critical" and form.get("verdict") == Verdict.APPROVE and form.get("sure") != SURE:
        raise InvalidRequest(
            "This call is critical: press “Approve: yes, run it” if it is really to run.", field="sure"
        )


def settlement_of(form: Mapping[str, str]) -> Settlement:
    """What the form says about a call in doubt. Raises: InvalidRequest naming the field."""
    try:
        resolution = Resolution(form.get("outcome", ""))
    except ValueError:
        raise InvalidRequest("Press one of the buttons that say what happened.") from None
    result = _text(form.get("result", ""), "result", MAX_RESULT_CHARS)
    if result is not None and resolution is not Resolution.RAN:
        raise InvalidRequest("A result belongs to a call that ran: press “It ran”, or empty the field.", field="result")
    note = _text(form.get("note", ""), "note", MAX_NOTE_CHARS)
    if note is None:
        raise InvalidRequest("Write a note that says how you know what happened.", field="note")
    return Settlement(resolution, result, note)


def extension_of(form: Mapping[str, str]) -> datetime:
    """Until when the form gives a call time. Raises: InvalidRequest."""
    try:
        return read_rfc3339(form.get("expires_at", ""))
    except ValueError:
        raise InvalidRequest("Press one of the buttons that give more time.") from None


def assignee_of(form: Mapping[str, str]) -> str | None:
    """Who is to look at the call: an id, or None for nobody. Raises: InvalidRequest."""
    whom = form.get("assignee")
    if not whom or "\0" in whom:
        raise InvalidRequest("Choose who is to look at this call.")
    return None if whom == NOBODY else whom


def place_of(error: GatewayError | None) -> str | None:
    """The field that the refusal is about; None for the whole."""
    match error:
        case InvalidDetails() | InvalidJson() | TooLarge():
            return "modified_details"
        case NoteRequired():
            return "note"
        case None:
            return None
        case _:
            return str(error.facts["field"]) if "field" in error.facts else None


def _choice(verdict: str | None, typed: Typed, call: Approval, limits: Limits) -> Choice:
    match verdict:
        case Verdict.APPROVE:
            # Only what was edited is an edit: an untouched form must not replace the bytes that were asked.
            secrets = secret_places.read(call.secrets)
            details = call.details
            return Approve(None if details is None else editor.edited_text(typed.edit, details, secrets, limits))
        case Verdict.REJECT:
            return Reject()
        case Verdict.RESPOND:
            response = _text(typed.response, "response", MAX_RESPONSE_CHARS)
            if response is None:
                raise InvalidRequest("Write the answer that the model is to get.", field="response")
            return Respond(response)
        case _:
            raise InvalidRequest("Press one of the deciding buttons.")


def _text(typed: str, field: str, max_chars: int) -> str | None:
    """The text, None for a blank one. Raises: InvalidRequest when it is too long or cannot be kept."""
    if len(typed) > max_chars:
        raise InvalidRequest(f"This is {len(typed)} characters long; {max_chars} are possible.", field=field)
    if "\0" in typed:
        raise InvalidRequest("The character U+0000 cannot be kept.", field=field)
    return typed if typed.strip() else None
