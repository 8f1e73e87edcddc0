"""Tiny models, and servers of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from asr import Transcriber
from asr.config import RecognizerConfig
from asr.tokens import Tokens
from sluice.commands.extras import MODULES
from sluice.server.app import create_app
from sluice.server.models import Models, load_models
from sluice.server.settings import ServerSettings
from tests.conftest import RECIPES
from tests.tones import SETTINGS

MAX_SECONDS = 20.0
"""Longest recording that the shared server takes."""
Client = Callable[..., Any]
"""Makes FastAPI's TestClient, given options of `ServerSettings`."""


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Without what serving needs, these tests say so and are skipped."""
    for name in MODULES["serve"]:
        pytest.importorskip(name, reason=f"{name} is not installed (the extra 'serve')")
    pytest.importorskip("httpx", reason="httpx is not installed (the extra 'test')")


@pytest.fixture(scope="session")
def random_recognizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained recognizer of the tones' letters, for tests that do not care what it hears."""
    torch.manual_seed(1)
    run = tmp_path_factory.mktemp("recognizers") / "random"
    config = RecognizerConfig.read(RECIPES / "manifest.yaml", SETTINGS)
    Transcriber(config, Tokens.learn(["abcde "])).save(run)
    return run


@pytest.fixture(scope="session")
def models(random_recognizer: Path, random_tagger: Path) -> Models:
    """Both models, loaded once; whoever changes them does so with `monkeypatch`."""
    return load_models(random_recognizer, random_tagger)


@pytest.fixture(scope="session")
def server(models: Models) -> Iterator[Any]:
    """FastAPI's TestClient of one server for all tests that need no settings of their own and count nothing."""
    from fastapi.testclient import TestClient

    with TestClient(create_app(models, ServerSettings(max_seconds=MAX_SECONDS))) as client:
        yield client


@pytest.fixture
def client(models: Models) -> Iterator[Client]:
    """Makes clients of new servers with given settings, which live as long as the test."""
    from fastapi.testclient import TestClient

    with ExitStack() as opened:

        def make(served: Models = models, **settings: Any) -> Any:
            return opened.enter_context(TestClient(create_app(served, ServerSettings(**settings))))

        yield make
