"""Where settings come from: the environment, ``.env``, and the files that either names for a secret."""

import os
from pathlib import Path

import pytest

from gateway.errors import InvalidSetting
from gateway.settings import Settings, find_unknown, read_settings

SECRETS = ["MISTRAL_API_KEY", "COUNTERSIGN_DATABASE_URL", "COUNTERSIGN_WEBHOOK_SECRET", "COUNTERSIGN_NOTIFY_URL"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the file ``secret`` in it; no variable of ours is set."""
    monkeypatch.chdir(tmp_path)
    for variable in SECRETS:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(f"{variable}_FILE", raising=False)
    (tmp_path / "secret").write_text("sqlite:///of_the_file.db\n")
    return tmp_path


def value_of(variable: str, settings: Settings) -> str | None:
    if variable == "COUNTERSIGN_DATABASE_URL":
        return settings.database_url
    secret = {
        "MISTRAL_API_KEY": settings.mistral_api_key,
        "COUNTERSIGN_WEBHOOK_SECRET": settings.webhook_secret,
        "COUNTERSIGN_NOTIFY_URL": settings.notify_url,
    }[variable]
    return secret.get_secret_value() if secret else None


@pytest.mark.parametrize("text", ["", "10.1.0.0/16", " hooks.internal , ::1,", "Bücher.example"])
def test_hosts_and_networks_may_be_allowed(text: str):
    assert read_settings(callback_allow=text).callback_allow == text


@pytest.mark.parametrize("text", ["10.0.0.1/8", "https://hooks.internal", "hooks.internal;x", "*", "300.1.1.1"])
def test_what_is_neither_host_nor_network_is_refused(text: str):
    with pytest.raises(InvalidSetting, match=r"COUNTERSIGN_CALLBACK_ALLOW: .* is neither the name of a host nor"):
        read_settings(callback_allow=text)


@pytest.mark.parametrize("variable", SECRETS)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_secret_comes_from_the_file_that_either_place_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, place: str
):
    if place == ".env":
        (folder / ".env").write_text(f"{variable}_FILE=secret\n")
    else:
        monkeypatch.setenv(f"{variable}_FILE", "secret")

    assert value_of(variable, read_settings()) == "sqlite:///of_the_file.db"


@pytest.mark.parametrize("variable", SECRETS)
def test_file_that_the_environment_names_goes_before_the_value_in_env(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str
):
    (folder / ".env").write_text(f"{variable}=sqlite:///of_dot_env.db\n")
    monkeypatch.setenv(f"{variable}_FILE", "secret")

    assert value_of(variable, read_settings()) == "sqlite:///of_the_file.db"


@pytest.mark.parametrize("variable", SECRETS)
def test_value_in_the_environment_goes_before_the_file_that_env_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str
):
    (folder / ".env").write_text(f"{variable}_FILE=secret\n")
    monkeypatch.setenv(variable, "sqlite:///of_the_environment.db")

    assert value_of(variable, read_settings()) == "sqlite:///of_the_environment.db"


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff", "not UTF-8")])
def test_file_that_cannot_be_read_is_named(folder: Path, content: bytes | None, reason: str):
    (folder / ".env").write_text("MISTRAL_API_KEY_FILE=key\n")
    if content is not None:
        (folder / "key").write_bytes(content)

    with pytest.raises(InvalidSetting, match=f"MISTRAL_API_KEY_FILE: key cannot be read .{reason}"):
        read_settings()


@pytest.mark.parametrize(
    "address",
    [
        "gate.example.com", "ftp://gate.example.com", "https://", "https:///", "https://:8000", "https://gate:http",
        "https://gate:0", "https://gate:70000", "http://[::1", "https://gate.example.com ", "https://gate example.com",
        "https://gate\t.example.com", "https://gate.example.com/?", "https://gate.example.com/#top",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str):
    for setting in ("public_url", "mistral_server_url"):
        with pytest.raises(InvalidSetting, match=f"COUNTERSIGN_{setting.upper()}: "):
            read_settings(**{setting: address})


@pytest.mark.parametrize("address", ["https://gate.example.com/countersign", "https://user:s3cret@gate.example.com"])
def test_public_address_is_scheme_host_and_port_alone(address: str):
    with pytest.raises(InvalidSetting, match="COUNTERSIGN_PUBLIC_URL: give scheme, host and port alone") as refused:
        read_settings(public_url=address)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("address", ["https://gate.example.com", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_address_may_end_with_a_slash(address: str):
    assert read_settings(public_url=f"{address}/").public_url == address


@pytest.mark.parametrize("address", ["http://localhost:11434", "https://models.example.com/mistral/v1/"])
def test_address_of_the_model_may_have_a_path(address: str):
    assert read_settings(mistral_server_url=address).mistral_server_url == address


def test_misspelt_setting_is_named_with_the_one_that_was_meant(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("COUNTERSIGN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COUNTERSIGN_UNDO_HOLD", "10")
    monkeypatch.setenv("COUNTERSIGN_UNDO_HOLD_S", "10")
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL_FILE", "secret")
    (folder / ".env").write_text("COUNTERSIGN_COLOUR=blue\nPOSTGRES_PASSWORD=x\nCOUNTERSIGN_MODEL=m\n")

    assert find_unknown() == [
        "COUNTERSIGN_COLOUR is no setting",
        "COUNTERSIGN_UNDO_HOLD is no setting (did you mean COUNTERSIGN_UNDO_HOLD_S?)",
    ]
