"""Refusals and headers: the same form everywhere."""

import logging

import pytest
from fastapi.testclient import TestClient
from starlette.routing import Route

from gateway import errors
from gateway.api import problems
from gateway.app import assemble
from gateway.errors import GatewayError
from gateway.store.session import Database
from gateway.web.address import Site
from gateway.web.state import BodyLimits
from tests.api.problems import code_of
from tests.factories import make_gateway

#: Told to operators on the command line, or faults of ours: never the answer to a request.
WITHOUT_STATUS = {errors.IllegalTransition, errors.InvalidSetting, errors.InvalidTool}


def all_refusals(kind: type[GatewayError] = GatewayError) -> set[type[GatewayError]]:
    below = kind.__subclasses__()
    return set(below).union(*(all_refusals(each) for each in below))


def test_every_refusal_has_a_status():
    ours = {kind for kind in all_refusals() if kind.__module__ == errors.__name__}
    assert ours - problems.STATUS_OF.keys() == WITHOUT_STATUS


def test_facts_never_replace_the_members_of_a_problem():
    document = problems.document(errors.AlreadyDecided(status="approved", verdict="approve"), 409)
    assert (document["status"], document["verdict"]) == (409, "approve")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", (404, "not_found")),
        ("DELETE", "/api/v1/jobs", (405, "method_not_allowed")),
        ("PATCH", "/healthz", (405, "method_not_allowed")),
        ("GET", "/v1/chat/completions", (404, "not_found")),
    ],
)
def test_the_frameworks_refusals_are_problems_too(clients, method, path, expected):
    response = clients.anonymous().request(method, path)
    assert code_of(response) == expected
    assert expected[0] != 405 or "allow" in response.headers


def test_unforeseen_failure_is_logged_and_says_nothing_of_the_inside(app, clients, caplog):
    def explode(_request: object) -> None:
        raise ZeroDivisionError("secret words")

    app.router.routes.append(Route("/api/v1/explode", explode))
    with caplog.at_level(logging.ERROR, "gateway.api"):
        response = clients.anonymous().get("/api/v1/explode")
    assert code_of(response) == (500, "internal_error")
    assert "secret words" not in response.text
    assert "secret words" in caplog.text
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
def without_database():
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    application = assemble(make_gateway(database), Site("http://testserver"), BodyLimits())
    yield TestClient(application, headers={"X-API-Key": "cs_app_a_b"}, raise_server_exceptions=False)
    database.dispose()


def test_database_that_does_not_answer_is_said(without_database):
    response = without_database.post("/api/v1/jobs", json={"input": "x"})
    assert code_of(response) == (503, "database_unavailable")
    assert response.headers["retry-after"] == "1"


def test_readiness_names_what_is_missing(without_database):
    response = without_database.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == "not_ready"
    assert response.json()["checks"]["database"] == "database_unavailable"
    assert without_database.get("/healthz").json() == {"status": "ok"}


def test_ready_process_says_so_until_it_closes(app, clients):
    client = clients.anonymous()
    assert client.get("/readyz").json() == {
        "status": "ready",
        "checks": {"database": "ok", "schema": "ok", "engine": "ok"},
    }
    app.state.closing.begin()
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/jobs", "/api/v1/nothing", "/docs", "/openapi.json", "/", "/x"])
def test_every_answer_has_the_security_headers(clients, path):
    headers = clients.anonymous().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_tools_show_their_schema_and_gate_but_not_where_they_are(shop, refund):
    answer = shop.get("/api/v1/tools")
    assert f'"parameters":{refund.definition.schema_text}' in answer.text
    first, second = answer.json()["items"]
    assert (first["name"], first["approval"], first["risk"]) == ("refund", "ask", "high")
    assert (second["name"], second["approval"]) == ("look_up", "auto")
    assert "target" not in first
    assert code_of(shop.get("/api/v1/tools?name=x")) == (422, "invalid_request")
