"""The headers by which a receiver knows that a message is ours, whole and fresh.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from standardwebhooks import Webhook

from gateway.errors import InvalidSetting
from gateway.usecases.deliveries import Message

PREFIX = "whsec_"
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
MAX_SECRETS = 2

#: The headers of one attempt, made from its message and the time of sending.
Headers = Callable[[Message, datetime], dict[str, str]]


def read_secrets(text: str) -> tuple[str, ...]:
    """The secrets of COUNTERSIGN_WEBHOOK_SECRET. Raises: InvalidSetting; no secret is repeated in its words."""
    secrets = tuple(text.split())
    if len(secrets) > MAX_SECRETS:
        raise InvalidSetting("COUNTERSIGN_WEBHOOK_SECRET: give one secret, or two while one replaces the other.")
    for secret in secrets:
        if not MIN_SECRET_BYTES <= _bytes_in(secret) <= MAX_SECRET_BYTES:
            raise InvalidSetting(
                f"COUNTERSIGN_WEBHOOK_SECRET: each secret is {PREFIX} and the base64 of {MIN_SECRET_BYTES} to "
                f"{MAX_SECRET_BYTES} random bytes."
            )
    return secrets


def standard_headers(secrets: Sequence[str]) -> Headers:
    """Standard Webhooks' headers, with one signature for each secret."""
    signers = [Webhook(secret) for secret in secrets]

    def headers(message: Message, now: datetime) -> dict[str, str]:
        made = {"webhook-id": message.id, "webhook-timestamp": str(int(now.timestamp()))}
        if signers:
            made["webhook-signature"] = " ".join(signer.sign(message.id, now, message.body) for signer in signers)
        return made

    return headers


def cheqpoint_headers(secrets: Sequence[str]) -> Headers:
    """The same, and the signature that receivers of Cheqpoint's decisions know: of the body, by the first secret."""
    standard = standard_headers(secrets)

    def headers(message: Message, now: datetime) -> dict[str, str]:
        made = standard(message, now)
        if secrets:
            made["x-cheqpoint-signature"] = hmac.digest(secrets[0].encode(), message.body.encode(), "sha256").hex()
        return made

    return headers


def _bytes_in(secret: str) -> int:
    """How many bytes the secret has; 0 for what is none."""
    if not secret.startswith(PREFIX):
        return 0
    coded = secret.removeprefix(PREFIX)
    try:
        return len(base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True))
    except (binascii.Error, ValueError):
        return 0
