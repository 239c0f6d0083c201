"""Keys and tokens, told by their shape."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.domain.findings.finding import Finding
from gateway.domain.findings.strings import Text

MASK = "••••"


@dataclass(frozen=True, slots=True)
class Shape:
    """Tokens of one kind. ``hint`` stands in each of them: looking for it is all that most texts cost.

    No pattern matches a quotation mark: what it finds in JSON lies within one string.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def _shape(name: str, hints: str, pattern: str) -> Shape:
    return Shape(name, tuple(hints.split()), re.compile(pattern))


_START = r"(?<![A-Za-z0-9])"
SHAPES = (
    _shape("AWS access key", "AKIA ASIA", _START + r"A(?:KIA|SIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
    _shape("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", _START + r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    _shape("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    _shape("GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,255}"),
    _shape("Slack token", "xoxa- xoxb- xoxp- xoxo- xoxs- xoxr-", _START + r"xox[abposr]-[A-Za-z0-9-]{10,255}"),
    _shape("Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_", _START + r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    _shape("webhook secret", "whsec_", r"whsec_[A-Za-z0-9+/=]{20,255}"),
    _shape("model provider's key", "sk-", _START + r"sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,255}"),
    _shape("Google key", "AIza", _START + r"AIza[0-9A-Za-z_-]{35}"),
    _shape("Google token", "ya29.", r"ya29\.[A-Za-z0-9_-]{20,2000}"),
    _shape("Hugging Face token", "hf_", _START + r"hf_[A-Za-z0-9]{30,255}"),
    _shape("npm token", "npm_", _START + r"npm_[A-Za-z0-9]{36}"),
    _shape("PyPI token", "pypi-", _START + r"pypi-[A-Za-z0-9_-]{50,1000}"),
    _shape("SendGrid key", "SG.", _START + r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}"),
    _shape("DigitalOcean token", "dop_v1_", r"dop_v1_[a-f0-9]{64}"),
    _shape("Telegram token", ":AA", _START + r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
    _shape("Countersign credential", "cs_pat_ cs_app_", r"cs_(?:pat|app)_[A-Za-z0-9_-]{16,255}"),
    _shape("JSON Web Token", "eyJ", _START + r"eyJ[\w-]{8,4000}\.eyJ[\w-]{8,8000}\.[\w-]{8,2000}"),
    _shape(
        "private key", "PRIVATE KEY-----",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s:,]|\\[nrt]){16,20000}"
        r"(?:-----END [A-Z ]{0,30}-----)?",
    ),
    _shape("bearer token", "earer EARER", r"(?i:bearer)[ \t]{1,4}(?=[^\s\"]{0,200}[0-9])[A-Za-z0-9._~+/=-]{20,4000}"),
    _shape("password in an address", "://", r"(?<=://)[^\s/:@\"\\<>]{0,200}:[^\s/@\"\\<>]{1,200}(?=@)"),
)  # fmt: skip

_ANY_HINT = re.compile("|".join(re.escape(hint) for shape in SHAPES for hint in shape.hints))


def secret_spans(text: str) -> list[tuple[int, int, str]]:
    """Start, end and kind of each secret in the text, in order and apart from each other."""
    apart: list[tuple[int, int, str]] = []
    for start, end, name in sorted(_matches(text), key=lambda span: (span[0], -span[1])):
        if not apart or start >= apart[-1][1]:
            apart.append((start, end, name))
    return apart


def masked(text: str) -> str:
    """The text with a mask in the place of each secret."""
    shown, at = [], 0
    for start, end, _ in secret_spans(text):
        shown += [text[at:start], MASK]
        at = end
    return "".join([*shown, text[at:]]) if shown else text


def find(text: Text) -> list[Finding]:
    """One finding for each kind of secret in the text; none quotes it."""
    kinds = dict.fromkeys(name for _, _, name in secret_spans(text.value))
    return [
        Finding("secret", text.pointer, f"{'The name has' if text.is_key else 'Has'} what looks like a secret: {kind}.")
        for kind in kinds
    ]


def may_hold_secret(text: str) -> bool:
    """False for most texts without a closer look: nothing stands in them that stands in every secret of some kind."""
    return _ANY_HINT.search(text) is not None


def _matches(text: str) -> Iterator[tuple[int, int, str]]:
    for shape in SHAPES:
        if any(hint in text for hint in shape.hints):
            yield from ((*match.span(), shape.name) for match in shape.pattern.finditer(text))
