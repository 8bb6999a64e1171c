"""Shared by all rooms: where the real data are, and one simulated night's study."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before numpy loads: every matrix here is small, and BLAS threads only get in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real market data; tests that need it skip where it is not."""
    named = os.environ.get("EVENTTAPE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the market data folder, none at {folder}")
    return folder


@pytest.fixture(scope="session")
def simulated_result():
    """The diffusion study of one simulated night."""
    from eventtape.simulate import event_night
    from eventtape.studies import SIMULATED, Config, diffusion

    return diffusion(event_night(3).tape, SIMULATED, Config(placebo_runs=4))


@pytest.fixture(scope="session")
def real_result(data_folder):
    """The diffusion study of the 2024 election night."""
    from eventtape.sources import load_folder
    from eventtape.studies import EVENTS, diffusion

    return diffusion(load_folder(data_folder).tape, EVENTS["us-election-2024"])
