"""A scripted model behind a real server, and Mistral's own SDK to talk to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from mistralai.client import Mistral

from gateway.demo.script import Script
from gateway.demo.scripted_model import RunningModel, running
from gateway.demo.validation import Rules

Start = Callable[..., RunningModel]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a scripted model for a script; it ends with the test."""
    with ExitStack() as servers:

        def start_one(
            script: Script, *, validate: bool = True, api_key: str | None = None, rules: Rules | None = None
        ) -> RunningModel:
            return servers.enter_context(
                running(script, validate=validate, api_key=api_key, rules=rules or Rules()),
            )

        yield start_one


@pytest.fixture
def connect() -> Iterator[Callable[..., Mistral]]:
    """The official SDK, pointed at a scripted model."""
    with ExitStack() as clients:

        def connect_one(model: RunningModel, api_key: str = "any-key") -> Mistral:
            client = Mistral(api_key=api_key, server_url=model.url, timeout_ms=10_000)
            clients.enter_context(client)
            return client

        yield connect_one
