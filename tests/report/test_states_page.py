"""The page of the states: what it says, and in a browser painted, self-contained, narrow."""

from __future__ import annotations

import dataclasses
import re

import pytest

from eventtape.report import states_tables
from eventtape.report.states_page import MOST_DRAWN, render_states, write_states
from eventtape.studies.states_findings import findings
from eventtape.studies.states_rows import ASSUMPTIONS, RUNGS, TWO_LOGNORMAL
from figures import states_results
from report.painted import PAINTED, READY

KEYS = "findings rungs states gaps probability likelihood diagnostics hedge scorecard snapshots"


@pytest.fixture(scope="module")
def good():
    return states_results.result(states_results.row())


@pytest.fixture(scope="module")
def bad():
    return states_results.result(states_results.row(identified=False), simulated=False)


def body(page):
    return page.rpartition("<body>")[2].split("<script")[0]


def words(page):
    return re.sub(r"<[^>]+>", " ", body(page))


def test_every_section_is_there_and_linked(good):
    said = body(render_states(good, command="eventtape states --simulate 3"))
    for key in (*KEYS.split(), "remake"):
        assert f'href="#{key}"' in said
        assert f'id="{key}"' in said
    assert "SIMULATED DATA" in said
    assert "Truth: a gap of +8.00% between the states" in said
    assert "eventtape states --simulate 3" in said
    assert "http://" not in said
    assert "https://" not in said


def test_numbers_and_words_are_the_study_s(good):
    said = words(render_states(good))
    for found in findings(good):
        assert found.text.replace("'", "&#x27;").replace("<", "&lt;") in said
    row = good.rows[0]
    for rung in row.rungs[1:3]:
        gap = [f"{100 * x:+.2f}%" for x in rung.gap]
        assert gap[0] in said
        assert f"{gap[1]} to {gap[2]}" in said
    assert f"{row.hedge.hedge.contracts.sum():+,.2f}" in said
    for shot in row.snapshots:
        assert f"{shot.p:.4f}" in said
    for field in dataclasses.fields(good.config):
        assert field.name in said


def test_every_rung_states_its_assumption_and_a_refused_one_its_reason(good):
    said = words(render_states(good))
    for name in RUNGS:
        assert ASSUMPTIONS[name].replace("'", "&#x27;") in said
    assert states_results.WHY in said
    assert "Refused, so not drawn: two lognormals." in said
    row = good.rows[0].rung(TWO_LOGNORMAL)
    assert str(row.status) in said


def test_diagnostics_say_whether_they_were_passed(good, bad):
    passed, failed = (words(states_tables.diagnostics_table(whole)) for whole in (good, bad))
    for said in ("0.95: passed", "41: all seen", "0.04: small", "0.41: passed", "0.05: passed"):
        assert said in passed
    for said in (
        "0.12: failed",
        "0.03: a direction",
        "2.4: leans",
        "0.002: failed",
        "0.37: failed",
    ):
        assert said in failed
    assert ": passed" not in failed


def test_a_refused_study_keeps_its_bounds_and_claims_no_gap(bad):
    said = words(render_states(bad))
    assert "SIMULATED" not in said
    assert "is not identified" in said
    assert "nan" not in said.lower().replace("finance", "")
    bounds = bad.rows[0].rungs[0].gap
    assert f"{100 * bounds.lower:+.2f}% to {100 * bounds.upper:+.2f}%" in said


def test_one_snapshot_and_a_range_have_no_path_to_draw():
    whole = states_results.one_snapshot()
    said = body(render_states(whole))
    assert 'id="states"' in said
    for key in ("gaps", "probability", "likelihood", "scorecard"):
        assert f'id="{key}"' not in said
    low, high = whole.probability.low, whole.probability.high
    assert f"{low:.3f} to {high:.3f}" in said
    assert "No hedge" in said


def test_a_row_without_a_density_is_a_row_with_its_reason():
    said = body(render_states(states_results.result(states_results.nothing(), simulated=False)))
    assert "Not studied" in said
    assert "no snapshot has a density" in said
    assert "data-root-id" not in said
    assert "nan" not in words(said).lower().replace("finance", "")


def test_more_rows_than_are_drawn_are_all_in_the_tables(good):
    one = good.rows[0]
    many = [one._replace(underlying=f"N{i}") for i in range(MOST_DRAWN + 1)]
    page = render_states(good._replace(rows=tuple(many)))
    assert f"Figures of the first {MOST_DRAWN} of {MOST_DRAWN + 1}" in page
    assert f"N{MOST_DRAWN} 2024" in body(page)


def test_long_tables_are_cut_and_say_so(good):
    row = good.rows[0]
    n = states_tables.MOST_TIMES
    long = row._replace(snapshots=row.snapshots * 8)
    assert len(long.snapshots) > n
    made = states_tables.snapshot_table(long, good)
    assert made.count("<tr>") == n + 1
    assert f"The first {n} of each" in render_states(good._replace(rows=(long,)))


def test_names_are_escaped(good):
    page = render_states(states_results.hostile(good))
    assert states_results.SCRIPT not in page.replace("\\u003c", "<").split("<script")[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_painted_self_contained_and_as_narrow_as_a_phone(browser, tmp_path, good, bad):
    rows = (*good.rows, *bad.rows, states_results.nothing())
    worst = states_results.hostile(good._replace(rows=rows))
    single = (("rungs", 1), ("states", 2), ("gaps", 1), ("probability", 1), ("likelihood", 1))
    twice = (("rungs", 2), ("states", 3), ("gaps", 2), ("probability", 2), ("likelihood", 2))
    for name, shown, width, counts in (("good", good, 1280, single), ("worst", worst, 390, twice)):
        path = write_states(shown, tmp_path / f"{name}.html")
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked, complaints = [], []
        page.on("request", lambda request, to=asked: to.append(request.url))
        page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
        page.on("dialog", lambda dialog, to=complaints: to.append(dialog.message))
        page.on(
            "console",
            lambda said, to=complaints: (
                to.append(said.text) if said.type in {"error", "warning"} else None
            ),
        )
        try:
            page.goto(path.as_uri())
            page.wait_for_function(READY, timeout=20_000)
            for key, count in (*counts, ("scorecard", counts[0][1])):
                painted = page.evaluate(PAINTED, key)
                assert len(painted) == count, key
                assert min(painted) > 500, (key, painted)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator(".banner").count() == 1
            assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
            assert complaints == []
        finally:
            page.close()
