"""How the review page words what was found of a call."""

import json

from gateway.domain.findings.finding import INFORMING
from reviewer_ui import findings


def test_what_only_informs_looks_so_and_nothing_else_does():
    assert {code for code, (_, _, look) in findings._LOOKS.items() if look == "info"} == INFORMING


def test_unknown_code_is_to_be_read():
    [shown] = findings.shown_findings(json.dumps([{"code": "new", "path": "", "message": "Look."}]), None)
    assert (shown.heading, shown.is_grave) == ("To be read", True)
