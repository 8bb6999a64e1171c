"""The page of the premium: what it says, and in a browser painted, self-contained, narrow."""

from __future__ import annotations

import dataclasses
import re

import pytest

from eventtape.report import premium_page, premium_tables
from eventtape.report.premium_page import render_premium, write_premium
from eventtape.studies.premium_findings import findings
from figures import premium_results as made
from report.painted import PAINTED, READY

KEYS = "findings term slider strip buckets history odds spreads cuts limits remake"


@pytest.fixture(scope="module")
def good():
    return made.result(made.row())


@pytest.fixture(scope="module")
def many():
    """A ridge, one refused and one with a single expiry."""
    ridge = made.row("ETH", ridge=True, history=False)
    refused = made.row("BAD", identified=False, history=False)
    whole = made.result(ridge, refused, simulated=False)
    return whole._replace(rows=(*whole.rows, made.one_expiry()))


@pytest.fixture(scope="module")
def page(good):
    return render_premium(good, command="eventtape premium --simulate 3")


def body(whole):
    return whole.rpartition("<body>")[2].split("<script")[0]


def words(whole):
    return re.sub(r"<[^>]+>", " ", body(whole))


def test_every_section_is_there_and_linked(page):
    said = body(page)
    for key in KEYS.split():
        assert f'href="#{key}"' in said
        assert f'id="{key}"' in said
    assert "SIMULATED DATA" in said
    assert "Truth: 8.0% and 2.0%." in said
    assert "eventtape premium --simulate 3" in said
    assert "http://" not in said
    assert "https://" not in said


def test_findings_and_choices_are_the_study_s(good, page):
    said = words(page)
    for found in findings(good):
        assert found.text.replace("'", "&#x27;").replace("<", "&lt;") in said
    for field in dataclasses.fields(good.config):
        assert field.name in said


def test_the_size_has_its_interval_its_day_and_its_mean_move(good):
    said = words(premium_tables.size_table(good))
    assert "8.00%" in said
    assert "7.36% to 8.56%" in said
    daily = good.rows[0].daily[0]
    assert f"{100 * daily:.2f}%" in said
    assert f"{100 * (0.08**2 + daily**2) ** 0.5:.2f}%" in said


def test_the_table_has_columns_a_to_g_in_the_units_of_the_seed(good):
    row = good.rows[0]
    said = premium_tables.strip_tables(row)
    for letter in "ABCDEFG":
        assert f">{letter}: " in said
    table, i = row.strips[0].table, made.NEAR
    for cell in (
        f"{1e4 * table.variance[i]:.3f}",
        f"{1e4 * table.variance[i] - 64.0:.3f}",
        f"{100 * table.stripped_daily[i]:.4f}",
        f"{100 * table.stripped_iv[i]:.2f}",
    ):
        assert f">{cell}<" in said


def test_a_strip_below_zero_is_a_dash_and_its_status(good):
    row = good.rows[0]
    after = row.term.expiries_ns > made.ELECTION.at_ns
    table = made.strip_table(row.term, after, 0.3)
    strip = row.strips[0]._replace(size=0.3, table=table)
    said = words(premium_tables.strip_tables(row._replace(strips=(strip,))))
    assert "— not resolved" in said
    assert "nan" not in said.lower()


def test_a_ridge_is_one_number_and_says_which_listing_parts_it(many):
    said = words(premium_tables.ridge_table(many))
    assert "election and fomc" in said
    assert "8.25%" in said
    assert "2024-11-05   23:00" in said
    assert "2024-11-07   19:00" in said
    one = many.rows[0].premium.ridges[0]
    same = one._replace(before_ns=one.after_ns)
    row = many.rows[0]
    row = row._replace(premium=row.premium._replace(ridges=(same,)))
    assert "none can: one moment" in words(premium_tables.ridge_table(made.result(row)))


def test_refusals_have_their_reasons_and_no_number(many):
    said = words(render_premium(many))
    assert "SIMULATED" not in said
    assert made.WHY in said
    assert "3 expiries at least for 1 unknown sizes and a base, met 1" in said
    assert "two strikes only" in said
    assert "nan" not in said.lower().replace("finance", "")
    assert "inf%" not in said


def test_tables_of_time_have_every_row_until_they_are_cut(good, monkeypatch):
    row = good.rows[0]
    whole = premium_tables.history_table(row)
    n = row.series.dynamic.ts_ns.size
    assert whole.count("<tr>") == 3 + n + 1  # two changes and their head, and the rows' head
    monkeypatch.setattr(premium_tables, "MOST_TIMES", 5)
    assert premium_tables.history_table(row).count("<tr>") == 3 + 5 + 1
    said = premium_page._time(good, good.rows).prose
    assert said[-1] == "The first 5 of each table; the files have all."


def test_odds_that_could_not_be_compared_say_why(good):
    row = good.rows[0]
    odds = row.odds._replace(link=None, apart=None, reason="no premium through time")
    odds = odds._replace(ts_ns=odds.ts_ns[:0], premium=odds.premium[:0], odds=odds.odds[:0])
    row = row._replace(odds=odds)
    part = premium_page._odds(made.result(row), (row,))
    assert part.charts == ()
    assert part.below == "<p>BTC: no premium through time.</p>"


def test_no_history_has_no_section_of_one():
    said = body(render_premium(made.result(made.row(history=False)._replace(far=None))))
    for key in ("history", "odds", "spreads", "ridges", "markets"):
        assert f'id="{key}"' not in said


def test_more_markets_than_are_drawn_are_in_the_tables(many, monkeypatch):
    monkeypatch.setattr(premium_page, "MOST_DRAWN", 1)
    page = render_premium(many)
    assert "Figures of the first 1 of 3 markets." in page
    assert words(page).count("BAD") >= 2


def test_names_are_escaped():
    page = render_premium(made.hostile(made.result(made.row(history=False))))
    assert made.SCRIPT not in page.replace("\\u003c", "<").split("<script")[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert made.SCRIPT not in body(page)


def test_painted_self_contained_and_as_narrow_as_a_phone(browser, tmp_path, good, many):
    drawn = (*good.rows, many.rows[0])  # a history and a ridge
    whole = many._replace(rows=drawn, simulated=True, cuts=good.cuts)
    path = write_premium(made.hostile(whole), tmp_path / "premium.html")
    counts = {"term": 2, "slider": 2, "strip": 2, "ridges": 1, "buckets": 2, "history": 1}
    counts |= {"odds": 2, "spreads": 4, "markets": 1, "cuts": 1}
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    try:
        page.goto(path.as_uri())
        page.wait_for_function(READY, timeout=20_000)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(READY, timeout=20_000)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        for key, count in counts.items():
            painted = page.evaluate(PAINTED, key)
            assert len(painted) == count, key
            assert min(painted) > 500, (key, painted)
        assert page.locator(".banner").count() == 1
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        assert complaints == []
    finally:
        page.close()
