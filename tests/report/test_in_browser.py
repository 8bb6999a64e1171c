"""In a real browser: figures are painted, nothing is fetched, nothing overflows."""

import contextlib
import functools
import http.server
import threading

import pytest

from eventtape.report import write_report
from figures import edge_results
from report.painted import PAINTED, READY

SECTIONS = {
    "probability": 2,
    "markets": 4,
    "gaps": 4,
    "responses": 4,
    "lead-lag": 10,
    "scorecard": 1,
}


@contextlib.contextmanager
def opened(browser, url, width):
    """The page, once its figures are drawn, and what it asked for and complained of meanwhile."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
    page.on(
        "console",
        lambda said: page.complaints.append(said.text) if said.type in ("error", "warning") else 0,
    )
    try:
        page.goto(url)
        page.wait_for_function(READY, timeout=20_000)
        yield page
    finally:
        page.close()


@pytest.fixture(scope="module")
def report(night, tmp_path_factory):
    return write_report(night, tmp_path_factory.mktemp("report") / "report.html")


@pytest.mark.parametrize("width", [1280, 390])
def test_figures_are_painted_and_nothing_is_fetched(browser, report, width):
    with opened(browser, report.as_uri(), width) as page:
        for key, count in SECTIONS.items():
            painted = page.evaluate(PAINTED, key)
            assert len(painted) == count, key
            assert min(painted) > 500, (key, painted)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        banner = page.locator(".banner")
        assert banner.is_visible()
        box = banner.bounding_box()
        assert (box["x"], box["y"], box["width"]) == (0, 0, width)
        assert [url for url in page.asked if not url.startswith("data:")] == [report.as_uri()]
        assert page.complaints == []


def test_the_worst_result_with_the_worst_names(browser, night, tmp_path):
    result = edge_results.renamed(edge_results.refused(night))
    path = write_report(result, tmp_path / "report.html")
    with opened(browser, path.as_uri(), 390) as page:
        assert min(min(page.evaluate(PAINTED, key)) for key in SECTIONS) > 200
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert [url for url in page.asked if not url.startswith("data:")] == [path.as_uri()]
        assert page.complaints == []


def test_served_it_asks_for_itself_alone(browser, report):
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    handler = functools.partial(Quiet, directory=str(report.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/report.html"
        with opened(browser, url, 1280) as page:
            assert page.locator("canvas").count() > 10
        server.shutdown()
        thread.join()
    assert asked == ["/report.html"]
