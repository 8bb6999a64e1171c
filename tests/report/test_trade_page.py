"""The page of a trade: what it says, and in a browser painted, self-contained, narrow."""

from __future__ import annotations

import dataclasses
import html
import re

import pytest

from eventtape.report.trade_page import render_trade
from eventtape.studies.trade_findings import findings
from figures import trade_results
from report.painted import PAINTED, READY

KEYS = ["findings", "held", "profit", "greeks", "scenarios", "risks"]
KEYS += ["account", "rules", "suits", "remake"]


@pytest.fixture(scope="module")
def good():
    made = trade_results.good()
    return made._replace(trade=made.trade._replace(name=trade_results.SCRIPT))


@pytest.fixture(scope="module")
def page(good):
    return render_trade(good, command="eventtape trade --legs …")


def body(text):
    return text.rpartition("<body>")[2].split("<script")[0]


def words(text):
    return re.sub(r"<[^>]+>", " ", body(text))


def test_every_section_is_there_and_linked(page):
    said = body(page)
    for key in KEYS:
        assert f'href="#{key}"' in said
        assert f'id="{key}"' in said
    assert "eventtape trade --legs …" in said
    assert "http://" not in said
    assert "https://" not in said


def test_numbers_and_words_are_the_study_s(good, page):
    said = words(page)
    for found in findings(good):
        assert html.escape(found.text) in said
    for leg in good.legs:
        assert f"{leg.price:.4f}" in said
    for rule in good.rules:
        assert rule.words in said
    for field in dataclasses.fields(good.config):
        assert field.name in said
    for suited in (*good.suits, *good.mends):
        assert html.escape(suited) in said


def test_a_call_in_dollars_says_what_does_not_apply():
    said = words(render_trade(trade_results.bought()))
    assert "One expiry alone" in said
    assert "Nothing is sold in the first expiry" in said
    assert "No jump was priced: no event was named." in said
    assert "the fees on record are those of options settled in coins" in said
    assert "nan" not in said.lower().replace("finance", "")


def test_names_are_escaped(page):
    assert trade_results.SCRIPT not in page.split("<body>")[-1]
    assert html.escape(trade_results.SCRIPT) in page


def test_painted_self_contained_and_as_narrow_as_a_phone(browser, tmp_path, page):
    path = tmp_path / "trade.html"
    path.write_text(page, encoding="utf-8")
    counts = {"profit": 3, "greeks": 2, "scenarios": 6, "risks": 1, "rules": 1}
    shown = browser.new_page(viewport={"width": 390, "height": 900})
    asked, complaints = [], []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    try:
        shown.goto(path.as_uri())
        shown.wait_for_function(READY, timeout=20_000)
        for width in (390, 1280):
            shown.set_viewport_size({"width": width, "height": 900})
            shown.wait_for_function(READY, timeout=20_000)
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
        for key, count in counts.items():
            painted = shown.evaluate(PAINTED, key)
            assert len(painted) == count, key
            assert min(painted) > 500, (key, painted)
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        assert complaints == []
    finally:
        shown.close()
