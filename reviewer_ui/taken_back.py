"""What somebody approved with edits and then took back: they find it in the form again, for a mistake in it is why."""

from collections.abc import Sequence

from gateway.domain import secret_places
from gateway.domain.approval import Verdict
from gateway.domain.json_text import Limits, parse_literal
from gateway.domain.permission import PersonActor
from gateway.errors import GatewayError
from gateway.store.tables import Approval, Decision
from reviewer_ui.editing.draft import Asked
from reviewer_ui.editing.editor import text_to_edit
from reviewer_ui.forms import Typed


def taken_back(
    approval: Approval, decided: Sequence[Decision], person: PersonActor, limits: Limits, *, view: str
) -> Typed | None:
    """The note and the edits of the approval that this person took back last; None where there are no such edits.

    An edit of a secret is not among them.
    ``decided`` are the call's decisions, the first one first.
    """
    ruled = [decision for decision in decided if decision.verdict != Verdict.EXTEND]
    if len(ruled) < 2 or approval.details is None:
        return None
    made, undone = ruled[-2:]
    if undone.verdict != Verdict.UNDO or {made.actor_id, undone.actor_id} != {person.id}:
        return None
    if made.modified_details is None or made.details_sha256 != approval.details_sha256:
        return None
    try:
        asked = Asked(parse_literal(approval.details, limits), secret_places.read(approval.secrets))
        # Nobody has revealed anything here: a secret that was edited is to be written again.
        text = secret_places.masked(text_to_edit(made.modified_details, asked, limits), asked.secrets)
    except GatewayError:
        return None  # the limits are lower than they were then
    return Typed(modified_details=text, note=made.note or "", view=view)
