"""Every refusal that Countersign can give: one class each, with a stable code.

The docstring of a class is the sentence that people read; ``code`` is what
programs match on. HTTP statuses are given in ``gateway.api.problems`` alone.
"""

from typing import Any


class GatewayError(Exception):
    """The request could not be carried out."""

    code = "error"

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        """``facts`` are further members of the problem document (JSON values)."""
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.facts = facts
        super().__init__(self.message)


class NotFound(GatewayError):
    """There is nothing here under this id."""

    code = "not_found"


class Unauthenticated(GatewayError):
    """No valid credential was sent: use Authorization: Bearer or x-api-key."""

    code = "unauthenticated"


class BadSignIn(GatewayError):
    """This e-mail and password do not match an active account."""

    code = "bad_sign_in"


class TooManySignIns(GatewayError):
    """Too many failed sign-ins: wait a minute, then try again."""

    code = "too_many_sign_ins"


class NotAllowed(GatewayError):
    """This credential may not do that."""

    code = "not_allowed"


class OwnRequest(GatewayError):
    """The person for whom a call was asked may not decide it."""

    code = "own_request"


class CrossSite(GatewayError):
    """A request with a session cookie must come from this site's own pages."""

    code = "cross_site"


class InvalidRequest(GatewayError):
    """The request does not have the form that this route takes."""

    code = "invalid_request"


class InvalidJson(GatewayError):
    """The text is not JSON of the strict kind that Countersign takes."""

    code = "invalid_json"


class TooLarge(GatewayError):
    """The text is larger than Countersign takes."""

    code = "too_large"


class BodyTooLarge(TooLarge):
    """The body is larger than this route takes."""


class MethodNotAllowed(GatewayError):
    """This address does not take requests of this method."""

    code = "method_not_allowed"


class UnsupportedMediaType(GatewayError):
    """The body must be JSON: send Content-Type: application/json."""

    code = "unsupported_media_type"


class NotAvailable(GatewayError):
    """This field is known but not available yet."""

    code = "not_available"


class UnknownTool(GatewayError):
    """No tool of this name is registered here."""

    code = "unknown_tool"


class CallbackRefused(GatewayError):
    """Nothing may be sent to this address."""

    code = "callback_refused"


class DeliveryPending(GatewayError):
    """This message is not delivered yet and will be tried by itself."""

    code = "delivery_pending"


class DeliveryDropped(GatewayError):
    """What this message was to tell was taken back: it is not sent."""

    code = "delivery_dropped"


class IdempotencyKeyReused(GatewayError):
    """This Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class JobFinished(GatewayError):
    """The job has already ended."""

    code = "job_finished"


class AlreadyDecided(GatewayError):
    """This approval has already been decided."""

    code = "already_decided"


class StaleDetails(GatewayError):
    """The arguments are not the ones that were shown: look at them again."""

    code = "stale_details"


class ToolChanged(GatewayError):
    """The tool's definition changed since the call was asked: look at it again, then decide."""

    code = "tool_changed"


class Expired(GatewayError):
    """The time for deciding has passed."""

    code = "expired"


class InvalidDetails(GatewayError):
    """The edited arguments do not satisfy the tool's schema."""

    code = "invalid_details"


class NoteRequired(GatewayError):
    """This tool's decisions need a note that says why."""

    code = "note_required"


class NotUndoable(GatewayError):
    """This approval has already been released and cannot be undone."""

    code = "not_undoable"


class NotInDoubt(GatewayError):
    """Only a call whose outcome is in doubt can be resolved."""

    code = "not_in_doubt"


class IllegalTransition(GatewayError):
    """This change of state is not allowed."""

    code = "illegal_transition"


class DatabaseUnavailable(GatewayError):
    """The database does not answer: nothing was changed, try again shortly."""

    code = "database_unavailable"


class InternalError(GatewayError):
    """Something failed that should not have failed: the log of the server says what."""

    code = "internal_error"


class WorkerStopped(GatewayError):
    """The worker of this process is not running: what is queued waits for another one."""

    code = "worker_stopped"


class SchemaOutdated(GatewayError):
    """The database schema is not the one this version needs: run `countersign migrate`."""

    code = "schema_outdated"


class InvalidSetting(GatewayError):
    """A setting has a value that cannot be used."""

    code = "invalid_setting"


class InvalidTool(GatewayError):
    """A tool's definition cannot be used."""

    code = "invalid_tool"
