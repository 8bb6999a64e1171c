"""Pages rendered once a worker, and the system's Chromium where there is one."""

import shutil

import pytest

from eventtape.report import render
from figures import edge_results

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def night():
    return edge_results.whole_night()


@pytest.fixture(scope="module")
def night_page(night):
    return render(night)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} on PATH")
    with playwright.sync_playwright() as runner:
        chromium = runner.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()
