"""Our words are Cheqpoint's words in snake case, so that its users find their fields again."""

import dataclasses
import inspect

from cheqpoint import CheqpointClient, RequestStatus

from gateway.store.tables import Approval, Decision

OURS = set(Approval.model_fields) | set(Decision.model_fields)

#: Names of the hosted service that have another word here, and why.
ELSEWHERE = {
    "id": "approval_id on decisions, id on approvals",
    "response_notes": "the decision's note",
    "decision_note": "the decision's note",
    "decision_reason_code": "the decision's reason_code",
    "auto_decision_rule_name": "the decision's rule",
    "webhook_url": "comes with the compatible face",
    "trace": "comes with the compatible face",
    "timeout_ms": "belongs to the client",
    "self": "not a field",
}


def test_what_cheqpoint_asks_with_has_the_same_name_here() -> None:
    asked = set(inspect.signature(CheqpointClient.create_request).parameters)

    assert "details" in asked
    assert asked - set(ELSEWHERE) <= OURS


def test_what_cheqpoint_answers_has_the_same_name_here() -> None:
    answered = {field.name for field in dataclasses.fields(RequestStatus)}

    assert "modified_details" in answered
    assert answered - set(ELSEWHERE) <= OURS
