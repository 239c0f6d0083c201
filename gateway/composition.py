"""Putting the parts of a process together: the only place where settings become objects."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack

from gateway.domain.callback_url import read_allowed
from gateway.domain.json_text import Limits
from gateway.domain.wording import Wording, read_wording
from gateway.engine.engine import Engine
from gateway.errors import InvalidSetting
from gateway.notifications.dispatch import Dispatcher
from gateway.notifications.reviewers import Reviewers
from gateway.notifications.signing import Headers, cheqpoint_headers, read_secrets, standard_headers
from gateway.notifications.webhook import Webhooks
from gateway.runner.housekeeping import Housekeeping
from gateway.runner.model import MistralModel
from gateway.runner.worker import Worker
from gateway.settings import Settings
from gateway.store.session import Database
from gateway.tools.load import load_registry
from gateway.tools.registry import ToolRegistry
from gateway.usecases import cheqpoint
from gateway.usecases.gateway import Gateway, Policy

# With the other parts below 25 s in all: whoever ends processes usually waits 30 s.
STOP_TIMEOUT_S = 16.0

_log = logging.getLogger(__name__)


def open_gateway(settings: Settings, tools: ToolRegistry | None = None) -> Gateway:
    """The gateway of this process; no thread runs and no connection is open yet.

    Without ``tools`` it has those that the settings name. Raises: InvalidSetting, InvalidTool.
    """
    database = Database(settings.database_url)
    return Gateway(
        database=database,
        engine=Engine(database),
        tools=open_tools(settings) if tools is None else tools,
        wording=open_wording(settings),
        policy=_policy(settings),
    )


def open_tools(settings: Settings) -> ToolRegistry:
    """The tools that the settings name; a file may be missing only if nobody named it.

    Raises: InvalidSetting, InvalidTool.
    """
    if settings.tools_file.exists():
        return load_registry(settings.tools_file, settings.tools)
    if "tools_file" in settings.model_fields_set:
        raise InvalidSetting(f"COUNTERSIGN_TOOLS_FILE: {settings.tools_file} does not exist.")
    return load_registry(None, settings.tools)


def open_wording(settings: Settings) -> Wording:
    """The sentences that the model is told, those of the operator's file among them. Raises: InvalidSetting."""
    path = settings.wording_file
    if path is None:
        return Wording()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidSetting(f"COUNTERSIGN_WORDING_FILE: {path} cannot be read ({reason}).") from error
    return read_wording(text, path)


def open_model(settings: Settings) -> MistralModel:
    """The model API that this process asks."""
    key = settings.mistral_api_key
    return MistralModel(
        api_key=key.get_secret_value() if key else None,
        server_url=settings.mistral_server_url,
        timeout_s=settings.model_timeout_s,
    )


def open_webhooks(settings: Settings) -> Webhooks:
    """What sends to the addresses that apps give. Raises: InvalidSetting."""
    secret = settings.webhook_secret
    secrets = read_secrets(secret.get_secret_value()) if secret else ()
    return Webhooks(read_allowed(settings.callback_allow), _forms(secrets))


def _forms(secrets: Sequence[str]) -> dict[str, Headers]:
    return {"standard": standard_headers(secrets), cheqpoint.ORIGIN: cheqpoint_headers(secrets)}


def open_reviewers(settings: Settings) -> Reviewers | None:
    """Where reviewers are told that calls wait; None when nowhere. Raises: InvalidSetting."""
    url = settings.notify_url
    return Reviewers(url.get_secret_value(), settings.public_url) if url else None


def start_worker(gateway: Gateway, settings: Settings, ending: ExitStack) -> None:
    """This process does queued work until ``ending`` closes: then what ran has ended, or is left to others.

    Raises: SchemaOutdated; DatabaseUnavailable; InvalidSetting.
    """
    webhooks, reviewers = open_webhooks(settings), open_reviewers(settings)
    for sentence in gateway.tools.missing_header_values():
        # Said, not refused: the other tools work, and a secret's file may still come. Each call looks again.
        _log.warning("calls of a tool will not run", extra={"event": "tool.header_missing", "reason": sentence})
    model = open_model(settings)
    ending.callback(model.close)
    gateway.engine.start(
        Worker(gateway, model).handlers(),
        model_concurrency=settings.model_concurrency,
        tool_concurrency=settings.tool_concurrency,
        lease_s=settings.lease_s,
    )
    ending.callback(gateway.engine.stop, STOP_TIMEOUT_S)
    housekeeping = Housekeeping(gateway)
    housekeeping.start()
    ending.callback(housekeeping.stop)
    dispatcher = Dispatcher(gateway, webhooks, reviewers)
    dispatcher.start()
    ending.callback(dispatcher.stop)


def _policy(settings: Settings) -> Policy:
    return Policy(
        default_model=settings.model,
        undo_hold_s=settings.undo_hold_s,
        allow_own_requests=settings.allow_own_requests,
        expires_after_s=settings.expires_after_s,
        expiry_warning_share=settings.expiry_warning_share,
        max_repeats=settings.max_repeats,
        same_request_window_s=settings.same_request_window_s,
        lease_s=settings.lease_s,
        model_timeout_s=settings.model_timeout_s,
        model_give_up_s=settings.model_give_up_s,
        retry_first_s=settings.model_retry_first_s,
        circuit_failures=settings.model_circuit_failures,
        circuit_probe_s=settings.model_circuit_probe_s,
        model_limits=settings.model_limits,
        model_server=settings.mistral_server_url or "mistral",
        callback_allow=read_allowed(settings.callback_allow),
        public_url=settings.public_url,
        tells_reviewers=settings.notify_url is not None,
        sign_in_idle_s=settings.sign_in_idle_s,
        sign_in_max_s=settings.sign_in_max_s,
        limits=Limits(
            max_bytes=settings.max_details_bytes,
            max_string_bytes=settings.max_details_string_bytes,
            max_depth=settings.max_details_depth,
            max_keys=settings.max_details_keys,
        ),
    )
