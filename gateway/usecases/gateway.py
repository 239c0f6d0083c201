"""What every use case works with, put together once by the composition root."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain.callback_url import Allowed
from gateway.domain.json_text import Limits
from gateway.domain.wording import Wording
from gateway.engine.engine import Engine
from gateway.store.session import Database
from gateway.tools.registry import ToolRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How this installation wants things done; times in seconds."""

    default_model: str = "mistral-small-latest"
    same_request_window_s: float = 0.0  #: within it the same request of an app is the first one's retry; 0: never
    undo_hold_s: float = 5.0  #: between an approval on the pages and its release
    allow_own_requests: bool = False  #: people may decide what was asked for themselves
    expires_after_s: float | None = None  #: in which a call can be decided, unless its tool says otherwise
    expiry_warning_share: float = 0.1  #: of that time, left when a warning is given; 0: none is
    max_repeats: int | None = None  #: of a rejected call, in jobs that name no number; None: any
    lease_s: float = 15.0  #: a worker without a sign of life for this long is dead
    model_timeout_s: float = 120.0
    model_give_up_s: float = 7200.0  #: how long an unreachable model is tried again
    retry_first_s: float = 1.0
    retry_max_s: float = 60.0
    circuit_failures: int = 0  #: calls of a model that fail in a row until hardly anybody asks it; 0: all go on
    circuit_probe_s: float = 10.0  #: one call tries whether it is back, and so often
    model_limits: Mapping[str, int] = field(default_factory=dict)  #: calls at one time by model; "*": every other one
    model_server: str = "mistral"  #: whose models these are
    sign_in_idle_s: float = 12 * 3600.0
    sign_in_max_s: float = 7 * 24 * 3600.0
    limits: Limits = field(default_factory=Limits)
    callback_allow: Allowed = field(default_factory=Allowed)  #: beside public addresses over https
    public_url: str | None = None  #: of the pages, for links in what is sent to others
    tells_reviewers: bool = False  #: calls that wait are told of at the installation's own address


@dataclass(frozen=True, slots=True)
class Gateway:
    """The database, the queues and the tools of one process."""

    database: Database
    engine: Engine
    tools: ToolRegistry
    wording: Wording = field(default_factory=Wording)
    policy: Policy = field(default_factory=Policy)
