"""Everything that an operator can set: environment variables, or the same names in ``.env``.

Built once by the composition root and handed on as plain values. The
environment goes before the file. In both a secret may be replaced by the
name of a file that holds it, under the same name with ``_FILE``.
"""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gateway.domain.callback_url import read_allowed
from gateway.domain.expiry import MAX_AHEAD
from gateway.errors import InvalidSetting

PREFIX = "COUNTERSIGN_"


class Settings(BaseSettings):
    """One field is one variable ``COUNTERSIGN_<NAME>``; ``MISTRAL_API_KEY`` keeps Mistral's own name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", env_ignore_empty=True)

    database_url: str = "sqlite:///var/countersign.db"
    mistral_api_key: SecretStr | None = Field(default=None, validation_alias=AliasChoices("MISTRAL_API_KEY"))
    mistral_server_url: str | None = None  #: without /v1; None: Mistral's own
    model: str = "mistral-small-latest"
    model_timeout_s: float = Field(default=120.0, gt=0)
    model_give_up_s: float = Field(default=7200.0, ge=0)
    model_retry_first_s: float = Field(default=1.0, gt=0)
    model_circuit_failures: int = Field(default=5, ge=0)
    model_circuit_probe_s: float = Field(default=10.0, gt=0)
    model_limits: Annotated[dict[str, int], NoDecode] = Field(default_factory=dict)
    model_concurrency: int = Field(default=8, ge=1, le=256)
    tool_concurrency: int = Field(default=8, ge=1, le=256)
    tools_file: Path = Path("tools.toml")
    tools: str | None = None  #: package.module:registry
    wording_file: Path | None = None
    public_url: str | None = None
    allow_http: bool = False
    callback_allow: str = ""  #: hosts and networks with commas between them
    webhook_secret: SecretStr | None = None  #: one, or two with a blank between them
    notify_url: SecretStr | None = None  #: of any service that apprise knows
    undo_hold_s: float = Field(default=5.0, ge=0, le=30)
    allow_own_requests: bool = False
    expires_after_s: float | None = Field(default=None, gt=0, le=MAX_AHEAD.total_seconds())
    expiry_warning_share: float = Field(default=0.1, ge=0, le=0.5)
    max_repeats: int | None = Field(default=None, ge=0, le=256)
    same_request_window_s: float = Field(default=0.0, ge=0, le=3600)
    lease_s: float = Field(default=15.0, gt=0)
    sign_in_idle_s: float = Field(default=12 * 3600.0, gt=0)
    sign_in_max_s: float = Field(default=7 * 24 * 3600.0, gt=0)
    max_job_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    max_decision_bytes: int = Field(default=256 * 1024, ge=1024)
    max_details_bytes: int = Field(default=256 * 1024, ge=64)
    max_details_string_bytes: int = Field(default=128 * 1024, ge=64)
    max_details_depth: int = Field(default=64, ge=1, le=200)
    max_details_keys: int = Field(default=2000, ge=1)
    log_level: str = "INFO"

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _address(value)
        origin = value.rstrip("/")
        if origin != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            raise ValueError("give scheme, host and port alone")
        return origin

    @field_validator("mistral_server_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        _address(value)
        if "?" in value or "#" in value:
            raise ValueError("give the address without query and fragment")
        return value

    @field_validator("model_limits", mode="before")
    @classmethod
    def _is_a_list_of_limits(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        limits: dict[str, int] = {}
        for entry in filter(None, (part.strip() for part in value.split(","))):
            name, _, number = (part.strip() for part in entry.rpartition("="))
            if not name or not re.fullmatch("[1-9][0-9]{0,5}", number) or name in limits:
                raise ValueError("must be model=number, …, each model once, like mistral-large-latest=4,*=32")
            limits[name] = int(number)
        return limits

    @field_validator("callback_allow")
    @classmethod
    def _is_a_list_of_hosts(cls, value: str) -> str:
        read_allowed(value)
        return value

    @field_validator("log_level")
    @classmethod
    def _is_a_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # What comes first wins. Either place may name a secret's file instead of the secret.
        places = (source for source in (env_settings, dotenv_settings) if isinstance(source, EnvSettingsSource))
        return (init_settings, *(part for place in places for part in (place, _SecretFiles(settings_cls, place))))


def read_settings(**given: Any) -> Settings:
    """The settings of this process. Raises: InvalidSetting naming the variable and what is wrong with it."""
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        variable = name if name.isupper() else PREFIX + name.upper()
        raise InvalidSetting(f"{variable}: {first['msg'].removeprefix('Value error, ')}.") from None


def find_unknown() -> list[str]:
    """What is set under our prefix and is no setting of ours, each with the setting that it looks like.

    Whoever misspells a name would otherwise run with the default, unnoticed.
    """
    known = {_variable(field, name) for name, field in Settings.model_fields.items()}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in _SECRETS}
    # TEST_: what the tests of this project are told.
    found = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    unknown = (name for name in sorted(found - known) if name.startswith(PREFIX))
    return [_looks_like(name, known) for name in unknown if not name.startswith(f"{PREFIX}TEST_")]


def _looks_like(name: str, known: set[str]) -> str:
    # Without the prefix, which alone makes any two names alike.
    near = difflib.get_close_matches(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], n=1)
    return f"{name} is no setting (did you mean {PREFIX}{near[0]}?)" if near else f"{name} is no setting"


def _address(text: str) -> SplitResult:
    """The parts of an http address with a host. Raises: ValueError."""
    if not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # Its words are not repeated: they may quote a password.
        raise ValueError("is not an address") from None
    if not parts.hostname or port == 0 or not text.isprintable() or " " in text:
        raise ValueError("is not an address")
    return parts


class _SecretFiles(PydanticBaseSettingsSource):
    """Secrets whose value stands in a file that ``<VARIABLE>_FILE`` names in this place."""

    def __init__(self, settings_cls: type[BaseSettings], place: EnvSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables = place.env_vars  # their names are in lower case here

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = _variable(field, field_name)
        path = self._variables.get(f"{variable}_FILE".lower())
        if not path or field_name not in _SECRETS:
            return None, field_name, False
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise InvalidSetting(f"{variable}_FILE: {path} cannot be read ({reason}).") from error
        return value, variable if field.validation_alias else field_name, False

    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {key: value for value, key, _ in found if value is not None}


#: A database URL holds a password, that of a notification service often a token.
_SECRETS = frozenset({"mistral_api_key", "database_url", "webhook_secret", "notify_url"})


def _variable(field: FieldInfo, field_name: str) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + field_name.upper()
