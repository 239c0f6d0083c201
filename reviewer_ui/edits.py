"""Editing before deciding: switching the view, adding and removing members, counting edits, seeing a secret."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain import json_pointer, secret_places
from gateway.domain.json_text import Limits, parse_literal
from gateway.errors import GatewayError, NotFound
from gateway.store.tables import Approval
from gateway.usecases import revealing
from gateway.web.state import gateway_of
from reviewer_ui import forms
from reviewer_ui.access import Decider
from reviewer_ui.addresses import FromAddress
from reviewer_ui.editing import editor, steps
from reviewer_ui.editing.control_name import path_of
from reviewer_ui.editing.draft import Asked
from reviewer_ui.editing.editor import draft_in
from reviewer_ui.editing.shape import shape_of
from reviewer_ui.editing.written import fields_of_draft
from reviewer_ui.inbox import SearchQuery
from reviewer_ui.posting import PostedForm
from reviewer_ui.rendering import page, refuse
from reviewer_ui.resuming import TypingDecider
from reviewer_ui.review import find_call
from reviewer_ui.review_page import review_page

router = APIRouter(include_in_schema=False)


@router.post("/approvals/{approval_id}/edit")
def edit(
    request: Request, person: TypingDecider, form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The page with what was typed, in the view that was asked for and a step further; nothing is stored."""
    gateway = gateway_of(request)
    typed = forms.typed_of(form)
    with gateway.database.read() as session:
        approval = find_call(session, approval_id)
    try:
        if "step" in form and approval.details is not None and typed.is_about(approval.details_sha256):
            typed = forms.with_arguments(typed, _stepped(typed, form, approval, gateway.policy.limits))
    except GatewayError as error:
        refuse(request, error, review_page(request, person, approval_id, search, typed=typed, error=error))
    return review_page(request, person, approval_id, search, typed=typed)


@router.post("/approvals/{approval_id}/edits")
def count(request: Request, _person: Decider, form: PostedForm, approval_id: FromAddress) -> Response:
    """The words of the approving button, the number of changes and their summary, for what is typed just now."""
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        approval = find_call(session, approval_id)
    typed = forms.typed_of(form)
    limits = gateway.policy.limits
    secrets = secret_places.read(approval.secrets)
    made = editor.edit(typed.edit, approval.details or "{}", approval.schema_text, secrets, limits)
    return page(request, "_counted.html", editing=made)


@router.post("/approvals/{approval_id}/reveal")
def reveal(
    request: Request, person: TypingDecider, form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The page with one secret shown, once the log says who has seen it. Raises: NotFound; NotAllowed."""
    typed = forms.typed_of(form)
    try:
        pointer = json_pointer.from_path(path_of(form.get("pointer", "")))
    except ValueError:
        raise NotFound("There is no such argument.") from None
    revealing.reveal(gateway_of(request), person, approval_id, [pointer], channel=forms.CHANNEL)
    return review_page(request, person, approval_id, search, typed=typed, revealed=pointer)


def _stepped(typed: forms.Typed, form: dict[str, str], approval: Approval, limits: Limits) -> dict[str, str]:
    details = approval.details or "{}"
    asked = Asked(parse_literal(details, limits), secret_places.read(approval.secrets))
    shape = shape_of(approval.schema_text)
    draft = draft_in(typed.edit, details, shape, asked, limits)
    steps.take_step(draft, form["step"], form, shape, asked)
    return fields_of_draft(draft)
