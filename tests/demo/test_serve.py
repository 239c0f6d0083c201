"""The scripted model as a program of its own, and with its optional package missing."""

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from gateway.demo.script import Script
from gateway.demo.scripted_model import create_app, serve
from gateway.errors import InvalidSetting

SERVE = "from gateway.demo.scripted_model import serve; serve(None, '127.0.0.1', 0, True)"
LOADED = (
    "import sys, gateway.demo.scripted_model, gateway.demo.tools; "
    "sys.exit(any(name.partition('.')[0] == 'mistral_common' for name in sys.modules))"
)


def test_program_says_its_address_and_answers():
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            line = program.stdout.readline()
            address = line.removeprefix("Scripted Mistral API at ").split()[0]
            answer = httpx2.get(address + "/v1/models", headers={"Authorization": "Bearer k"})
        finally:
            program.terminate()

    assert line.endswith(" (4 conversations)\n")
    assert answer.json()["data"][0]["id"] == "mistral-small-latest"


def test_missing_script_is_refused():
    with pytest.raises(InvalidSetting, match="cannot be read"):
        serve(Path("no-such-script.toml"), "127.0.0.1", 0, validate=True)


def test_taken_port_is_refused(start):
    port = int(start(Script()).url.rpartition(":")[2])

    with pytest.raises(InvalidSetting, match=f"cannot listen at 127.0.0.1:{port}"):
        serve(None, "127.0.0.1", port, validate=False)


def test_missing_mistral_common_is_named_and_not_needed_without_validation(monkeypatch):
    monkeypatch.setitem(sys.modules, "mistral_common.exceptions", None)

    with pytest.raises(InvalidSetting, match="install countersign with its extra 'demo'"):
        create_app(Script())
    assert create_app(Script(), validate=False).state.check is None


def test_mistral_common_is_loaded_only_when_requests_are_checked():
    assert subprocess.run([sys.executable, "-c", LOADED], check=False).returncode == 0
