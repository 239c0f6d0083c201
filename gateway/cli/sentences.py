"""How an error is told to the operator."""

from gateway.errors import DatabaseUnavailable, GatewayError


def sentence(error: GatewayError) -> str:
    """The error's own words on one line; for an unreachable database the driver's too, which outsiders never see."""
    reason = getattr(error.__cause__, "orig", None)
    words = error.message
    if isinstance(error, DatabaseUnavailable) and reason is not None:
        words = f"{words} ({str(reason).splitlines()[0]})"
    return " ".join(words.split())
