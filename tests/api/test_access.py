"""Who may call what: every route, every kind of caller."""

import pytest
from fastapi.testclient import TestClient

from gateway.domain.permission import Role, Scope
from gateway.usecases import accounts
from tests.api.problems import code_of
from tests.factories import ask, call, make_app, make_person

APPROVAL, JOB, DELIVERY = "apr_" + "0" * 26, "job_" + "0" * 26, "dlv_" + "0" * 26

READERS = frozenset({"app read", "reviewer", "admin", "auditor"})
SUBMITTERS = frozenset({"app submit", "reviewer", "admin"})
DECIDERS = frozenset({"reviewer", "admin"})
STRANGERS = frozenset({"nobody", "bad key", "revoked key", "disabled person"})
EVERYBODY = READERS | SUBMITTERS | STRANGERS

ACCESS = {
    ("post", "/api/v1/jobs"): SUBMITTERS,
    ("get", "/api/v1/jobs"): READERS,
    ("get", "/api/v1/jobs/{job_id}"): READERS,
    ("get", "/api/v1/jobs/{job_id}/transcript"): READERS,
    ("get", "/api/v1/jobs/{job_id}/events"): READERS,
    ("post", "/api/v1/jobs/{job_id}/cancel"): SUBMITTERS,
    ("get", "/api/v1/approvals"): READERS,
    ("get", "/api/v1/approvals/{approval_id}"): READERS,
    ("post", "/api/v1/approvals/{approval_id}/decision"): DECIDERS,
    ("post", "/api/v1/approvals/{approval_id}/undo"): DECIDERS,
    ("post", "/api/v1/approvals/{approval_id}/extend"): DECIDERS,
    ("post", "/api/v1/approvals/{approval_id}/assignment"): DECIDERS,
    ("post", "/api/v1/approvals/{approval_id}/reveal"): DECIDERS,
    ("post", "/api/v1/approvals/{approval_id}/resolution"): DECIDERS,
    ("get", "/api/v1/decisions"): READERS,
    ("get", "/api/v1/webhook-deliveries"): READERS,
    ("post", "/api/v1/webhook-deliveries/{delivery_id}/redeliver"): frozenset({"app submit", "admin"}),
    ("get", "/api/v1/tools"): READERS,
    ("post", "/api/approvals/request"): SUBMITTERS,
    ("get", "/api/approvals/{approval_id}"): READERS | SUBMITTERS,
    ("post", "/api/webhooks/inbound"): SUBMITTERS,
    ("get", "/healthz"): EVERYBODY,
    ("get", "/readyz"): EVERYBODY,
}
#: Cheqpoint's face: no page of ours calls it, a cookie does not count there, and its refusals have no code.
CHEQPOINT = ("/api/approvals/", "/api/webhooks/")
UNSAFE = [path for method, path in ACCESS if method == "post" and not path.startswith(CHEQPOINT)]


def filled(path: str) -> str:
    return path.format(job_id=JOB, approval_id=APPROVAL, delivery_id=DELIVERY)


@pytest.fixture
def callers(clients, gateway) -> dict[str, TestClient]:
    disabled = make_person(gateway, role=Role.ADMIN, email="gone@example.com")
    token = accounts.create_token(gateway, email=disabled.email)
    accounts.disable_person(gateway, email=disabled.email)
    key, revoked = (accounts.create_key(gateway, app="shop", scopes=tuple(Scope)) for _ in range(2))
    accounts.revoke_key(gateway, revoked.split("_")[2])
    return {
        "nobody": clients.anonymous(),
        "bad key": clients.bearing(key[:-1] + ("a" if key[-1] != "a" else "b")),
        "revoked key": clients.bearing(revoked),
        "disabled person": clients.bearing(token),
        "app read": clients.with_key("shop", Scope.READ),
        "app submit": clients.with_key("shop", Scope.SUBMIT),
        **{role.value: clients.with_token(role) for role in Role},
    }


def test_every_route_has_an_entry(app):
    routes = {(method, path) for path, operations in app.openapi()["paths"].items() for method in operations}
    assert routes == ACCESS.keys()


@pytest.mark.parametrize(("method", "path"), ACCESS)
def test_route_is_open_to_exactly_these_callers(callers, method, path):
    assert callers.keys() == EVERYBODY
    for name, client in callers.items():
        response = client.request(method, filled(path), json={} if method == "post" else None)
        if name in ACCESS[method, path]:
            assert response.status_code in {200, 404, 422}, name
            continue
        status, code = (401, "unauthenticated") if name in STRANGERS else (403, "not_allowed")
        assert response.status_code == status, name
        if path.startswith(CHEQPOINT):
            assert list(response.json()) == ["error"]
        else:
            assert response.json()["code"] == code, name
        if name in STRANGERS:
            assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/api/approvals/request", "/api/webhooks/inbound"])
def test_cookie_does_not_count_on_the_face_of_cheqpoint(clients, path):
    asked = {"action": "a", "summary": "a", "details": {}}
    assert clients.with_cookie(Role.ADMIN).post(path, json=asked).status_code == 401


class TestCredentials:
    def test_both_headers_are_taken(self, clients, gateway):
        key = accounts.create_key(gateway, app="shop", scopes=tuple(Scope))
        for headers in ({"Authorization": f"bearer {key}"}, {"X-API-Key": key}):
            assert clients.anonymous().get("/api/v1/tools", headers=headers).status_code == 200

    def test_same_credential_twice_is_one(self, clients, gateway):
        key = accounts.create_key(gateway, app="shop", scopes=tuple(Scope))
        headers = {"Authorization": f"Bearer {key}", "X-API-Key": key}
        assert clients.anonymous().get("/api/v1/tools", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Basic eDp5"},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer "},
            {"X-API-Key": ""},
            {"X-API-Key": "cs_app_"},
            {"X-API-Key": "cs_pat_x"},
            {"X-API-Key": "x" * 5000},
            {"X-API-Key": "cs_app_%00_é".encode("latin-1")},
        ],
    )
    def test_malformed_credential_is_refused(self, clients, headers):
        assert code_of(clients.anonymous().get("/api/v1/tools", headers=headers)) == (401, "unauthenticated")

    def test_two_different_credentials_are_refused(self, shop, gateway):
        other = accounts.create_key(gateway, app="other", scopes=tuple(Scope))
        response = shop.get("/api/v1/tools", headers={"X-API-Key": other})
        assert code_of(response) == (401, "unauthenticated")

    def test_key_is_no_token(self, clients, gateway):
        key = accounts.create_key(gateway, app="shop", scopes=tuple(Scope))
        client = clients.bearing(key.replace("cs_app_", "cs_pat_"))
        assert code_of(client.get("/api/v1/tools")) == (401, "unauthenticated")

    def test_no_mutation_of_a_key_is_taken(self, clients, gateway):
        key = accounts.create_key(gateway, app="shop", scopes=tuple(Scope))
        client = clients.anonymous()
        for index in range(len(key)):
            changed = key[:index] + ("x" if key[index] != "x" else "y") + key[index + 1 :]
            assert client.get("/api/v1/tools", headers={"X-API-Key": changed}).status_code == 401
        assert client.get("/api/v1/tools", headers={"X-API-Key": key}).status_code == 200

    def test_disabled_person_is_out_with_the_next_request(self, clients, gateway):
        client = clients.with_token(email="leaver@example.com")
        assert client.get("/api/v1/tools").status_code == 200
        accounts.disable_person(gateway, email="leaver@example.com")
        assert code_of(client.get("/api/v1/tools")) == (401, "unauthenticated")

    def test_app_cannot_decide_its_own_call(self, shop, gateway):
        [row] = ask(gateway, call("refund", '{"order_id":"a"}'), actor=make_app("shop"))
        body = {"verdict": "approve", "details_sha256": row.details_sha256}
        assert code_of(shop.post(f"/api/v1/approvals/{row.id}/decision", json=body)) == (403, "not_allowed")


class TestCrossSite:
    """With a cookie, what changes something must come from our own pages."""

    @pytest.mark.parametrize("path", UNSAFE)
    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
            {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
            {"Origin": "https://evil.example"},
            {"Origin": "http://testserver.evil.example"},
            {"Origin": "https://testserver"},
            {"Origin": "null"},
            {},
        ],
    )
    def test_request_from_elsewhere_is_refused(self, clients, path, headers):
        client = clients.with_cookie(Role.ADMIN)
        del client.headers["Sec-Fetch-Site"]
        response = client.post(filled(path), json={"input": "x"}, headers=headers)
        assert code_of(response) == (403, "cross_site")

    @pytest.mark.parametrize(
        "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://testserver"}]
    )
    def test_request_from_our_pages_is_taken(self, clients, headers):
        client = clients.with_cookie()
        del client.headers["Sec-Fetch-Site"]
        assert client.post("/api/v1/jobs", json={"input": "x"}, headers=headers).status_code == 202

    def test_own_host_counts_on_this_machine_only(self, clients):
        client = clients.with_cookie()
        del client.headers["Sec-Fetch-Site"]
        for host, status in (("127.0.0.1:8000", 202), ("[::1]:8000", 202), ("localhost", 202), ("10.0.0.5", 403)):
            headers = {"Host": host, "Origin": f"http://{host}"}
            assert client.post("/api/v1/jobs", json={"input": "x"}, headers=headers).status_code == status

    def test_reading_is_not_concerned(self, clients):
        client = clients.with_cookie()
        assert client.get("/api/v1/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200

    def test_key_is_not_concerned(self, shop):
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert shop.post("/api/v1/jobs", json={"input": "x"}, headers=headers).status_code == 202

    def test_form_cannot_send_what_the_api_takes(self, clients):
        response = clients.with_cookie().post("/api/v1/jobs", data={"input": "x"})
        assert code_of(response) == (415, "unsupported_media_type")

    def test_unknown_cookie_is_nobody(self, clients):
        client = clients.with_cookie()
        client.cookies.set("countersign", "somebody-elses")
        assert code_of(client.get("/api/v1/jobs")) == (401, "unauthenticated")
