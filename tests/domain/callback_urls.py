"""Addresses that must not be sent to, in all the ways in which they can be written."""

from ipaddress import IPv4Address

#: Addresses with the reason for which each of them is not public.
NOT_PUBLIC_V4 = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1",
    "192.168.0.1", "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
NOT_PUBLIC_V6 = (
    "::", "::1", "::2", "::7f00:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "64:ff9b:1:ffff::7f00:1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:2::1",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::1",
    "2620:4f:8000::1", "3ffe::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254",
    "fe80::1", "fe80::a9fe:a9fe", "fec0::1", "feff::1", "ff00::1", "ff02::1", "ff05::2", "ff0e::1",
)  # fmt: skip


def notations(address: str) -> list[str]:
    """The ways in which resolvers take an IPv4 address."""
    number = int(IPv4Address(address))
    first, second, third, fourth = IPv4Address(address).packed
    return [
        address,
        f"{address}.",
        str(number),
        f"{number:#x}",
        f"0{number:o}",
        f"{first:#x}.{second:#x}.{third:#x}.{fourth:#x}",
        f"0{first:o}.0{second:o}.0{third:o}.0{fourth:o}",
        f"{first}.{number & 0xFFFFFF}",
        f"{first}.{second}.{number & 0xFFFF}",
        f"{first:#x}.{number & 0xFFFFFF}",
        address.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),  # full-width digits
        address.replace(".", "\u3002"),  # ideographic full stops
    ]


_HOSTS = [
    *(notation for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254") for notation in notations(address)),
    *NOT_PUBLIC_V4,
    *(f"[{address}]" for address in NOT_PUBLIC_V6),
    "127.1", "127.0.1", "0", "0x0", "0177.1", "0x7f.1", "00000177.0.0.1", "2130706433.", "[0:0:0:0:0:0:0:1]",
    "[::FFFF:127.0.0.1]", "[0000:0000:0000:0000:0000:ffff:7f00:0001]",
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local", "db.internal",
    "metadata.google.internal", "router.lan", "wiki.intranet", "nas.home.arpa", "gateway", "x.test", "x.invalid",
    "\u2113ocalhost", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
]  # fmt: skip

HOSTS = list(dict.fromkeys(_HOSTS))

#: What is no address that can be used, wherever it may lead.
MALFORMED = [
    "", " ", "https", "https:", "https:/", "https://", "https:///", "https:///x", "https://:443/", "https://?x",
    "//a.example.com", "a.example.com", "a.example.com/x", "/x", "ftp://a.example.com", "file:///etc/passwd",
    "gopher://a.example.com", "javascript:alert(1)", "data:,x", "unix:///run/x.sock", "https+unix://x",
    "ws://a.example.com", "jar:https://a.example.com", "https://user@a.example.com",
    "https://user:pass@a.example.com", "https://a.example.com@127.0.0.1", "https://@a.example.com",
    "https://127.0.0.1@a.example.com", "https://a.example.com:pass@127.0.0.1/", "https://a%40b@a.example.com",
    "https://a.example.com\\@127.0.0.1", "https://127.0.0.1\\.a.example.com", "https:\\\\a.example.com",
    "https://a.example.com/\\x", "https://a.example.com#x", "https://a.example.com/x#y",
    "https://a.example.com#@127.0.0.1/", "https://a.example.com/ x", " https://a.example.com",
    "https://a.example.com ", "https://a example.com", "https://a.example.com\n", "https://a\t.example.com",
    "https://a.example.com\r\nHost: x", "https://a.example.com/\x00", "https://a.example.com/\u202e",
    "https://a\u200b b.example.com", "https://a.example.com:0", "https://a.example.com:65536",
    "https://a.example.com:99999", "https://a.example.com:x", "https://a.example.com:", "https://a.example.com:-1",
    "https://a.example.com:443:443", "https://a.example.com:０", "https://..", "https://.", "https://.a.example.com",
    "https://a..example.com", "https://a.example.com..", "https://-a.example.com", "https://a-.example.com",
    "https://a,b.example.com", "https://a;b.example.com", "https://a%2eb.example.com",
    "https://127.0.0.1%00.example.com", "https://%31%32%37.0.0.1", "https://a*.example.com",
    "https://$(id).example.com", "https://{a}.example.com", "https://a|b.example.com", "https://[::1", "https://::1",
    "https://[::1]x", "https://[::1%25eth0]", "https://[fe80::1%eth0]", "https://[a.example.com]",
    "https://[127.0.0.1]", "https://[::ffff:999.0.0.1]", "https://[v1.x]", "https://[]", "https://2001:4860::8888/",
    "https://256.256.256.256", "https://1.2.3.4.5", "https://1.2.3.256", "https://0x100000000", "https://4294967296",
    "https://1.2.3.08", "https://a.example.123", "https://a.0x7f", f"https://{'a' * 64}.example.com",
    f"https://{'a.' * 127}example.com", "https://a.example.com/" + "x" * 2000, "https://xn--\u00e9.example.com\ud800",
]  # fmt: skip
