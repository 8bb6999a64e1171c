"""Fixtures of the sources room: a loopback server, a client that does not dawdle, tiny files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from eventtape.sources import Client
from sources.loopback_server import Loopback


@pytest.fixture
def loopback():
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def client():
    waits = {"wait_initial": 0.0, "wait_max": 0.0, "wait_jitter": 0.0}
    with Client(timeout=5.0, attempts=4, **waits) as client:
        yield client


@pytest.fixture
def write(tmp_path):
    """Write text, bytes or a JSON value to a file of tmp_path; return its path."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, str):
            content = content.encode()
        elif not isinstance(content, bytes):
            content = json.dumps(content).encode()
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(scope="session")
def data_folder():
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("EVENTTAPE_DATA", beside))
