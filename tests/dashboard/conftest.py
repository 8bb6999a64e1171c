"""The system's Chromium, in a thread of its own, for whoever wants to look at a page."""

import shutil
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from report.conftest import BROWSERS, FLAGS

FAR_S = 90.0  # nothing is timed here: a busy machine may take long


class Watcher:
    """Runs ``look(page)`` on a fresh page; Playwright's loop allows one a thread."""

    def __init__(self, chromium):
        self._chromium = chromium

    def look(self, look, url, width, height, scheme, ready):
        context = self._chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        context.set_default_timeout(1_000 * FAR_S)
        page = context.new_page()
        notes = types.SimpleNamespace(asked=[], complaints=[])
        page.on("request", lambda request: notes.asked.append(request.url))
        page.on("pageerror", lambda error: notes.complaints.append(str(error)))
        page.on("dialog", lambda dialog: notes.complaints.append(dialog.message))
        page.on(
            "console",
            lambda said: notes.complaints.append(said.text) if said.type == "error" else None,
        )
        try:
            page.goto(url)
            page.wait_for_function(ready)
            return look(page, notes)
        finally:
            context.close()


@pytest.fixture(scope="module")
def watch():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} on PATH")
    with ThreadPoolExecutor(max_workers=1) as thread:
        runner = thread.submit(playwright.sync_playwright().start).result()
        launch = runner.chromium.launch
        chromium = thread.submit(launch, executable_path=path, args=FLAGS).result()
        watcher = Watcher(chromium)

        def watching(look, url, *, width=1280, height=800, scheme="light", ready=LIVE):
            done = thread.submit(watcher.look, look, url, width, height, scheme, ready)
            return done.result(timeout=4 * FAR_S)

        yield watching
        thread.submit(chromium.close).result()
        thread.submit(runner.stop).result()


LIVE = """() => document.getElementById("mode")?.dataset.mode === "live"
    && document.getElementById("table-feeds").tBodies[0].rows.length > 1"""
