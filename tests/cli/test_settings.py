"""Where settings come from: the environment, ``.env``, and the files that either names for a secret."""

from pathlib import Path

import pytest

from gateway.errors import InvalidSetting
from gateway.settings import Settings, read_settings

SECRETS = ["MISTRAL_API_KEY", "COUNTERSIGN_DATABASE_URL"]


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
    return settings.mistral_api_key.get_secret_value() if settings.mistral_api_key else None


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
