"""The address of this installation: links, the cookie, and where signing in is possible."""

import pytest

from gateway.web.address import Site, is_loopback


def test_https_gives_a_cookie_that_belongs_to_this_host_alone():
    site = Site("https://approve.example.com", sign_in_max_s=60)
    assert site.cookie_name == "__Host-countersign"
    assert site.cookie_parameters() == {
        "httponly": True, "samesite": "lax", "path": "/", "secure": True, "max_age": 60,
    }  # fmt: skip


def test_http_gives_a_plain_cookie():
    site = Site("http://127.0.0.1:8000")
    assert (site.cookie_name, site.cookie_parameters()["secure"]) == ("countersign", False)


def test_links_begin_with_the_public_address():
    site = Site("https://Example.com:8443")
    assert site.review_url("apr_1") == "https://Example.com:8443/approvals/apr_1"
    assert site.job_url("job_1") == "https://Example.com:8443/jobs/job_1"
    assert (site.origin, site.host) == ("https://example.com:8443", "example.com")


@pytest.mark.parametrize(
    ("site", "host", "is_possible"),
    [
        (Site("http://127.0.0.1:8000"), "127.0.0.1", True),
        (Site("http://127.0.0.1:8000"), "localhost", True),
        (Site("http://0.0.0.0:8000"), "::1", True),
        (Site("http://0.0.0.0:8000"), "192.168.0.7", False),
        (Site("http://gate.example.com"), "gate.example.com", False),
        (Site("http://gate.example.com", allow_http=True), "gate.example.com", True),
        (Site("https://gate.example.com"), "gate.example.com", True),
    ],
)
def test_signing_in_over_plain_http_is_for_this_machine(site, host, is_possible):
    refusal = site.refusal_of_sign_in(host)
    assert (refusal is None) is is_possible
    assert is_possible or "COUNTERSIGN_ALLOW_HTTP" in refusal


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("app.localhost", True), ("127.8.8.8", True), ("::1", True), ("localhost.evil.com", False),
        ("127.0.0.1.nip.io", False), ("0.0.0.0", False), ("10.0.0.1", False), ("", False), (None, False),
    ],
)  # fmt: skip
def test_loopback_names(host, expected):
    assert is_loopback(host) is expected
