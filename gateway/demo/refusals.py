"""The error answers of Mistral's API, as recorded or reported from the live service."""

from http import HTTPStatus
from typing import Any


class Refusal(Exception):
    """An answer other than 200: its status and its JSON body."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{status}: {body}")


def wrong_key() -> Refusal:
    """The bearer token is missing or wrong."""
    return Refusal(401, {"detail": "Invalid API Key"})


def invalid_body(problems: list[dict[str, Any]]) -> Refusal:
    """The body does not have the API's form; one entry of ``type, loc, msg, input`` per place."""
    return Refusal(422, _error({"detail": problems}))


def invalid_order(message: str) -> Refusal:
    """The messages follow each other in a way that the API does not take."""
    return Refusal(400, _error(message, "invalid_request_message_order", "3230"))


def invalid_call(message: str) -> Refusal:
    """A tool call in the messages is not well formed."""
    return Refusal(400, _error(message, "invalid_function_call", "3280"))


def invalid_request(message: str) -> Refusal:
    """The request breaks another of the API's rules."""
    return Refusal(400, _error(message))


def invalid_model(name: str) -> Refusal:
    """There is no such model."""
    return Refusal(400, _error(f"Invalid model: {name}", "invalid_model", "1500"))


def by_status(status: int) -> Refusal:
    """What Mistral answers with this status when nothing else is said."""
    match status:
        case 401:
            return wrong_key()
        case 429:
            return Refusal(429, _error("Rate limit exceeded", "rate_limited", "1300"))
        case 503:
            return Refusal(503, _error("Service tier capacity exceeded for this model."))
        case _:
            return Refusal(status, _error(_phrase(status)))


def _error(message: Any, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown error"
