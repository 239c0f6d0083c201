"""A reviewer's edit of a call's arguments: what it really changes, and whether it may run."""

from gateway.domain import secret_places
from gateway.domain.approval import Approve, Choice
from gateway.domain.arguments import is_same, sha256_hex
from gateway.domain.json_text import require_object
from gateway.errors import InvalidDetails
from gateway.store.tables import Approval
from gateway.usecases import describing
from gateway.usecases.gateway import Gateway


def checked_edit(gateway: Gateway, approval: Approval, choice: Approve) -> str | None:
    """The exact edited arguments, which may run; None when nothing was edited.

    Raises: InvalidJson, TooLarge beyond the limits; InvalidDetails with one entry for each place that the schema
    refuses.
    """
    edited = choice.modified_details
    if edited is None:
        return None
    require_object(edited, gateway.policy.limits)
    edited = _edit(gateway, approval, choice)
    if edited is None:
        return None
    require_object(edited, gateway.policy.limits)  # what a mask stood for may be long
    wrong = describing.unfit_places(approval, edited, gateway.policy.limits)
    if wrong:
        raise InvalidDetails(errors=[{"pointer": bad.path, "message": bad.message} for bad in wrong])
    return edited


def effective_sha256(gateway: Gateway, approval: Approval, choice: Choice) -> str | None:
    """The hash of what would run by this choice; None for one that lets nothing run."""
    if not isinstance(choice, Approve):
        return None
    edited = _edit(gateway, approval, choice)
    return approval.details_sha256 if edited is None else sha256_hex(edited)


def _edit(gateway: Gateway, approval: Approval, choice: Approve) -> str | None:
    """The edited arguments, what was masked put in; None when they are the asked ones in structure and literals."""
    edited, limits = choice.modified_details, gateway.policy.limits
    if edited is None or approval.details is None:
        return edited
    edited = secret_places.unmasked(edited, approval.details, secret_places.read(approval.secrets), limits)
    return None if is_same(edited, approval.details, limits) else edited
