"""The page of the panel study in a browser: painted, fetching nothing, no wider than a phone."""

from __future__ import annotations

import pytest

from eventtape.report.panel_page import write_panel_report
from eventtape.simulate.leader_frame import leader_frame
from eventtape.studies.panel_leadership import run
from eventtape.studies.panel_leadership_rows import LeadershipConfig
from report.painted import PAINTED, READY


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    made = leader_frame(1)
    config = LeadershipConfig(
        market=made.market,
        probability=made.probability,
        groups=tuple(made.groups.items()),
        n_draws=199,
        placebo_runs=1,
        resolution=(1, 5),
    )
    result = run(made.prices, config, simulated=True)
    return write_panel_report(result, tmp_path_factory.mktemp("panel") / "leadership.html")


@pytest.mark.parametrize("width", [1280, 390])
def test_painted_and_self_contained(browser, page_file, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    try:
        page.goto(page_file.as_uri())
        page.wait_for_function(READY, timeout=20_000)
        for key, count in (("pairs", 1), ("speeds", 2), ("groups", 2)):
            painted = page.evaluate(PAINTED, key)
            assert len(painted) == count, key
            assert min(painted) > 500, (key, painted)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".banner").is_visible()
        assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
        assert complaints == []
    finally:
        page.close()
