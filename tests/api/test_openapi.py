"""The OpenAPI document: complete, consistent, and true."""

import json

import jsonschema_rs
import pytest

from gateway.domain.approval import Approve
from gateway.usecases import jobs
from tests.factories import ask, call, decide, make_app, make_person, run


@pytest.fixture
def document(clients):
    return clients.anonymous().get("/openapi.json").json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def schema_of(document, operation, status):
    [content] = [
        each for kind, each in operation["responses"][str(status)]["content"].items() if kind == "application/json"
    ]
    return {**content["schema"], "components": document["components"]}


def test_every_reference_leads_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                yield from references(child)

    named = {reference.rpartition("/")[2] for reference in references(document)}
    assert named <= document["components"]["schemas"].keys()
    assert named >= {"JobBody", "DecisionBody", "ResolutionBody", "Problem", "JobView", "ApprovalView"}
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Countersign"


def test_every_schema_is_a_valid_one(document):
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
        assert schema, name


def test_every_route_says_what_it_refuses_and_how_to_sign_in(document):
    for name, operation in operations(document):
        assert operation["summary"], name
        assert "200" in operation["responses"], name
        if "cheqpoint" in operation["tags"]:
            continue  # it says no in its own way: below
        if "/api/" in name:
            assert operation["security"], name
            assert "`unauthenticated`" in operation["responses"]["401"]["description"]
            assert "`not_allowed`" in operation["responses"]["403"]["description"]
        for status, response in operation["responses"].items():
            if status >= "400" and "/api/" in name:
                content = response["content"]["application/problem+json"]
                assert all(example["value"]["status"] == int(status) for example in content["examples"].values())


def test_face_of_cheqpoint_says_no_in_one_word(document):
    faces = {name: one for name, one in operations(document) if "cheqpoint" in one["tags"]}
    assert len(faces) == 3
    for name, operation in faces.items():
        assert operation["security"], name
        assert {"401", "403", "503"} <= operation["responses"].keys()
        for status, response in operation["responses"].items():
            model = "CheqpointError" if status >= "400" else "RequestView"
            assert response["content"]["application/json"]["schema"]["$ref"].endswith(f"/{model}"), (name, status)


def test_examples_of_bodies_satisfy_their_schemas(document):
    checked = 0
    for _, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = {**content["schema"], "components": document["components"]}
        validator = jsonschema_rs.validator_for(schema)
        for example in content["examples"].values():
            validator.validate(example["value"])
            checked += 1
    assert checked >= 9


def test_answers_satisfy_their_schemas(document, reviewer, gateway):
    first, second = ask(
        gateway,
        call("refund", '{"order_id":"a"}'),
        call("refund", "broken"),
        actor=make_app("shop"),
        metadata_text="{}",
        callback_url="https://hooks.example.com/",
    )
    decide(gateway, make_person(gateway), first, Approve('{"order_id":"b"}'))
    run(gateway, first)
    jobs.cancel(gateway, make_app("shop"), first.job_id or "")
    places = {
        "/api/v1/jobs": "/api/v1/jobs",
        f"/api/v1/jobs/{first.job_id}": "/api/v1/jobs/{job_id}",
        f"/api/v1/jobs/{first.job_id}/transcript": "/api/v1/jobs/{job_id}/transcript",
        "/api/v1/approvals": "/api/v1/approvals",
        f"/api/v1/approvals/{first.id}": "/api/v1/approvals/{approval_id}",
        f"/api/v1/approvals/{second.id}": "/api/v1/approvals/{approval_id}",
        "/api/v1/decisions": "/api/v1/decisions",
        "/api/v1/webhook-deliveries": "/api/v1/webhook-deliveries",
        "/api/v1/tools": "/api/v1/tools",
        "/healthz": "/healthz",
        "/readyz": "/readyz",
    }
    for path, route in places.items():
        response = reviewer.get(path)
        assert response.status_code == 200
        schema = schema_of(document, document["paths"][route]["get"], 200)
        jsonschema_rs.validator_for(schema).validate(json.loads(response.text))


def test_answers_in_cheqpoints_words_satisfy_their_schema(document, shop):
    asked = {"action": "refund", "summary": "Refund it", "details": {"order_id": "a"}}
    made = shop.post("/api/approvals/request", json=asked)
    held = shop.post("/api/webhooks/inbound", json=asked)
    seen = shop.get(f"/api/approvals/{made.json()['id']}")

    for response, operation in (
        (made, document["paths"]["/api/approvals/request"]["post"]),
        (held, document["paths"]["/api/webhooks/inbound"]["post"]),
        (seen, document["paths"]["/api/approvals/{approval_id}"]["get"]),
    ):
        schema = schema_of(document, operation, response.status_code)
        jsonschema_rs.validator_for(schema).validate(response.json())


def test_docs_show_every_route_and_load_nothing(clients, document):
    page = clients.anonymous().get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for name, _ in operations(document):
        method, path = name.split()
        assert f"{method.upper()} {path}" in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "default-src 'none'; style-src 'sha256-" in page.headers["content-security-policy"]
