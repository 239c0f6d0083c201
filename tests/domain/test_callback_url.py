"""Which addresses apps may give."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.domain.callback_url import Allowed, check_address, check_url, is_public, read_allowed, read_url
from gateway.errors import CallbackRefused
from tests.domain.callback_urls import HOSTS, MALFORMED, NOT_PUBLIC_V4, NOT_PUBLIC_V6

NOTHING = Allowed()
PUBLIC = (
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.215.14", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:4860:4860::8888",
    "2001:200::1", "2400:cb00::1", "2606:4700::1111", "2a00:1450::1", "3ffd::1",
)  # fmt: skip


def check(text: str, allowed: Allowed = NOTHING) -> None:
    check_url(read_url(text), allowed)


def test_there_are_enough_of_them() -> None:
    assert len({*HOSTS}) + len({*MALFORMED}) >= 150


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["https", "HTTPS", "http"])
def test_host_that_is_not_public_is_refused(host: str, scheme: str) -> None:
    with pytest.raises(CallbackRefused):
        check(f"{scheme}://{host}/hook?x=1")


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_usable_address_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(CallbackRefused) as refused:
        check(text)
    assert refused.value.message.endswith(".")
    assert "pass" not in refused.value.message.replace("password", "")


@pytest.mark.parametrize("text", [*NOT_PUBLIC_V4, *NOT_PUBLIC_V6])
def test_address_of_no_host_in_the_internet_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_address_of_a_host_in_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))
    check(f"https://[{text}]/" if ":" in text else f"https://{text}/")


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "authority"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("HTTPS://Hooks.Example.COM./a/b?c=d&e=%2f", "hooks.example.com", 443, "/a/b?c=d&e=%2f", "hooks.example.com"),
        ("https://hooks.example.com:8443?x", "hooks.example.com", 8443, "/?x", "hooks.example.com:8443"),
        ("https://hooks.example.com:443/", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://bücher.example.com/ä", "xn--bcher-kva.example.com", 443, "/ä", "xn--bcher-kva.example.com"),
        ("https://faß.example.com", "fass.example.com", 443, "/", "fass.example.com"),
        ("https://[2606:4700:0:0::1111]:8443/x", "2606:4700::1111", 8443, "/x", "[2606:4700::1111]:8443"),
        ("https://0x5db8d70e/", "93.184.215.14", 443, "/", "93.184.215.14"),
        ("https://a_b.example.com/a@b", "a_b.example.com", 443, "/a@b", "a_b.example.com"),
    ],
)
def test_address_is_read_once_into_its_parts(text: str, host: str, port: int, path: str, authority: str) -> None:
    url = read_url(text)
    check_url(url, NOTHING)
    assert (url.host, url.port, url.path, url.authority) == (host, port, path, authority)


@pytest.mark.parametrize("port", [1, 21, 22, 25, 53, 110, 143, 445, 587, 993, 1023])
def test_port_of_another_service_is_refused(port: int) -> None:
    with pytest.raises(CallbackRefused, match=f"Port {port}"):
        check(f"https://hooks.example.com:{port}/")
    check(f"https://hooks.example.com:{port}/", read_allowed("hooks.example.com"))


def test_plain_http_is_for_what_is_allowed() -> None:
    with pytest.raises(CallbackRefused, match="https://"):
        check("http://hooks.example.com/")
    with pytest.raises(CallbackRefused, match="https://"):
        check("http://93.184.215.14/")
    check("http://hooks.example.com/", read_allowed("hooks.example.com"))
    check("http://93.184.215.14/", read_allowed("93.184.215.0/24"))


def test_names_and_networks_are_allowed_besides() -> None:
    allowed = read_allowed(" 10.1.0.0/16, hooks.internal,127.0.0.1 , [::1], fd00::/8, Bücher.Example ,")

    assert allowed.names == {"hooks.internal", "xn--bcher-kva.example"}
    assert allowed.networks == tuple(map(ip_network, ("10.1.0.0/16", "127.0.0.1/32", "::1/128", "fd00::/8")))
    for text in (
        "http://10.1.2.3:22/",
        "https://hooks.internal/",
        "http://2130706433/",
        "http://[::1]:1/",
        "https://[fd12::1]",
    ):
        check(text, allowed)
    for text in (
        "https://10.2.0.1/",
        "https://other.internal/",
        "https://a.hooks.internal/",
        "https://127.0.0.2/",
        "https://[::2]/",
    ):
        with pytest.raises(CallbackRefused, match="COUNTERSIGN_CALLBACK_ALLOW"):
            check(text, allowed)


def test_every_address_of_a_name_is_judged() -> None:
    url = read_url("https://hooks.example.com/")
    check_address(url, ip_address("93.184.215.14"), NOTHING)
    check_address(url, ip_address("10.1.2.3"), read_allowed("10.0.0.0/8"))
    check_address(url, ip_address("::ffff:10.1.2.3"), read_allowed("10.0.0.0/8"))
    check_address(url, ip_address("10.1.2.3"), read_allowed("hooks.example.com"))
    for text in (*NOT_PUBLIC_V4, *NOT_PUBLIC_V6):
        with pytest.raises(CallbackRefused, match="leads to an address that is not public"):
            check_address(url, ip_address(text), read_allowed("other.example.com"))


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1/8", "10.0.0.0/33", "300.1.1.1", "a b", "https://a.example.com", "*.internal", "a:80", "0x7f.1", "-a"],
)
def test_what_can_be_no_host_is_not_allowed_by_accident(text: str) -> None:
    with pytest.raises(ValueError, match="is neither the name of a host nor a network"):
        read_allowed(f"hooks.internal,{text}")
