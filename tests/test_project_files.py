"""The files around the code say what the code says: locks, settings, deployment."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pydantic import AliasChoices

from gateway.settings import PREFIX, Settings, read_settings

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

PRODUCT, DEVELOPMENT, BUILD = "requirements.lock", "requirements-dev.lock", "deploy/build.lock"
LOCKS = [PRODUCT, DEVELOPMENT, BUILD]

# Everything that a lock may say. Options, addresses, folders and direct references have no place in it.
PIN = re.compile(r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>[^\s;]+)( ; (?P<marker>[^\\]+))? \\")
HASH = re.compile(r"    --hash=sha256:(?P<sha256>[0-9a-f]{64})( \\)?")
ORIGIN = re.compile(r"    #( via)?( {1,3}(-c )?[A-Za-z0-9_.-]+( \(pyproject\.toml(:[a-z]+)?\))?)?")

# NAME=value, or #NAME=value where the value is the default.
EXAMPLE = re.compile(r"^#?(?P<variable>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)
FOR_COMPOSE_ALONE = {"POSTGRES_PASSWORD"}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_pins_and_hashes_and_nothing_else(lock):
    lines = (ROOT / lock).read_text().splitlines()

    assert [line for line in lines if not any(kind.fullmatch(line) for kind in (PIN, HASH, ORIGIN))] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_followed_by_its_hashes(lock):
    lines = (ROOT / lock).read_text().splitlines()

    assert [line for line, following in pairwise(lines) if PIN.fullmatch(line) and not HASH.fullmatch(following)] == []
    assert PIN.fullmatch(lines[-1]) is None


@pytest.mark.parametrize("lock", [PRODUCT, BUILD])
def test_lock_is_a_part_of_the_development_lock(lock):
    assert pins(lock).items() <= pins(DEVELOPMENT).items()


def test_locks_satisfy_what_the_project_declares():
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]

    assert unsatisfied(project["dependencies"], PRODUCT) == []
    assert unsatisfied([*project["dependencies"], *project["optional-dependencies"]["demo"]], DEVELOPMENT) == []
    assert unsatisfied([text for text in groups["dev"] if isinstance(text, str)], DEVELOPMENT) == []
    assert unsatisfied(groups["build"], BUILD) == []


def test_every_setting_is_in_the_example_file_once():
    shown = [line["variable"] for line in EXAMPLE.finditer((ROOT / ".env.example").read_text())]

    assert sorted(shown) == sorted(setting_variables() | FOR_COMPOSE_ALONE)


def test_every_setting_has_a_line_in_the_readme():
    documented = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert documented == setting_variables()


def test_example_file_shows_the_defaults(tmp_path, monkeypatch):
    for variable in setting_variables():
        monkeypatch.delenv(variable, raising=False)
    copy = tmp_path / ".env"
    copy.write_text(EXAMPLE.sub(r"\g<variable>=\g<value>", (ROOT / ".env.example").read_text()))

    assert read_settings(_env_file=copy).model_dump() == read_settings(_env_file=None).model_dump()


@pytest.mark.parametrize("file", ["docker-compose.yml", "deploy/Dockerfile"])
def test_deployment_sets_variables_that_exist(file):
    named = set(re.findall(rf"\b{PREFIX}[A-Z0-9_]+", (ROOT / file).read_text()))

    assert named - setting_variables() == set()


def test_compose_finds_a_tools_file_by_its_default_name_and_needs_none():
    text = (ROOT / "docker-compose.yml").read_text()
    mounted, started_in = re.findall(r"^ +- \./tools:(\S+):ro$|^  working_dir: (\S+)$", text, re.MULTILINE)

    assert mounted[0] == started_in[1]
    assert f"{PREFIX}TOOLS_FILE" not in text
    assert not Settings.model_fields["tools_file"].default.is_absolute()


def setting_variables() -> set[str]:
    return {
        str(field.validation_alias.choices[0])
        if isinstance(field.validation_alias, AliasChoices)
        else PREFIX + name.upper()
        for name, field in Settings.model_fields.items()
    }


def pins(lock: str) -> dict[tuple[str, str], frozenset[str]]:
    """(name, version) -> SHA-256 of each file that may be installed. A name may have a version per Python."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    latest = ("", "")
    for line in (ROOT / lock).read_text().splitlines():
        if pin := PIN.fullmatch(line):
            latest = (pin["name"], pin["version"])
            found[latest] = frozenset()
        elif digest := HASH.fullmatch(line):
            found[latest] |= {digest["sha256"]}
    return found


def unsatisfied(declared: list[str], lock: str) -> list[str]:
    """The declared requirements of which the lock has no version, or one that is not allowed."""
    locked: dict[str, list[str]] = {}
    for name, version in pins(lock):
        locked.setdefault(name, []).append(version)
    requirements = [Requirement(text) for text in declared]
    return [
        str(requirement)
        for requirement in requirements
        if not locked.get(requirement.name)
        or not all(requirement.specifier.contains(version) for version in locked[requirement.name])
    ]
