"""The page of the states: what it says, and in a browser painted, self-contained, narrow."""

from __future__ import annotations

import dataclasses
import re

import pytest

from eventtape.estimators.states.joint_fit import AGREE
from eventtape.estimators.states.two_lognormal_solutions import FITS
from eventtape.report import states_page, states_tables
from eventtape.report.states_page import render_states, write_states
from eventtape.studies.states_findings import findings
from eventtape.studies.states_rows import ASSUMPTIONS, JOINT, RUNGS, TWO_LOGNORMAL
from figures import states_results
from report.painted import PAINTED, READY

KEYS = "findings rungs states gaps probability likelihood diagnostics hedge scorecard snapshots"


@pytest.fixture(scope="module")
def good():
    return states_results.result(states_results.row())


@pytest.fixture(scope="module")
def bad():
    return states_results.result(states_results.row(identified=False), simulated=False)


@pytest.fixture(scope="module")
def good_page(good):
    return render_states(good, command="eventtape states --simulate 3")


@pytest.fixture(scope="module")
def bad_page(bad):
    return render_states(bad)


def body(page):
    return page.rpartition("<body>")[2].split("<script")[0]


def words(page):
    return re.sub(r"<[^>]+>", " ", body(page))


def test_every_section_is_there_and_linked(good_page):
    said = body(good_page)
    for key in (*KEYS.split(), "remake"):
        assert f'href="#{key}"' in said
        assert f'id="{key}"' in said
    assert "SIMULATED DATA" in said
    assert "Truth: a gap of +8.00% between the states" in said
    assert "eventtape states --simulate 3" in said
    assert "http://" not in said
    assert "https://" not in said


def test_numbers_and_words_are_the_study_s(good, good_page):
    said = words(good_page)
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


def test_every_rung_states_its_assumption_and_a_refused_one_its_reason(good, good_page):
    said = words(good_page)
    for name in RUNGS:
        assert ASSUMPTIONS[name].replace("'", "&#x27;") in said
    assert states_results.WHY in said
    assert "Refused, so not drawn: two lognormals." in said
    row = good.rows[0].rung(TWO_LOGNORMAL)
    assert str(row.status) in said


def test_diagnostics_say_whether_they_were_passed(good, bad):
    passed, failed = (words(states_tables.diagnostics_table(whole)) for whole in (good, bad))
    for said in ("0.95: passed", "41: reported", "0.04: reported", "0.41: passed"):
        assert said in passed
    for said in ("0.12: failed", "0.03: reported", "2.4: reported", "0.37: reported"):
        assert said in failed
    # A p-value of .002 refuses two lognormals, and the joint fit not
    for said in ("0.002: passed", "0.002: reported", "0.002: failed"):
        assert said in failed


def test_the_table_has_the_thresholds_of_the_fits():
    least = states_tables._LEAST["over-identification"]
    assert least == {JOINT: AGREE, TWO_LOGNORMAL: FITS}


def test_a_refused_study_keeps_its_bounds_and_claims_no_gap(bad, bad_page):
    said = words(bad_page)
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


def test_more_rows_than_are_drawn_are_all_in_the_tables(bad, monkeypatch):
    monkeypatch.setattr(states_page, "MOST_DRAWN", 1)
    one = bad.rows[0]
    page = render_states(bad._replace(rows=(one, one._replace(underlying="SECOND"))))
    assert "Figures of the first 1 of 2; the tables have all." in page
    said = words(page)
    assert said.count("SECOND 2024-11-15: as of") == 1
    assert said.count("SECOND 2024-11-15: ") == 2  # its verdict alone, and what came of it
    assert said.count("SECOND 2024-11-15") > 2 * len(RUNGS)  # rungs, states, diagnostics, scores
    assert "The first 1 of 2 expiries" in said


def test_long_tables_are_cut(good):
    row, n = good.rows[0], states_tables.MOST_TIMES
    long = row._replace(snapshots=row.snapshots * 8)
    assert len(long.snapshots) > n
    assert states_tables.snapshot_table(long, good).count("<tr>") == n + 1


def test_names_are_escaped(bad):
    page = render_states(states_results.hostile(bad))
    assert states_results.SCRIPT not in page.replace("\\u003c", "<").split("<script")[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_painted_self_contained_and_as_narrow_as_a_phone(browser, tmp_path, good, bad):
    both = states_results.hostile(good._replace(rows=(*good.rows, *bad.rows)))
    path = write_states(both, tmp_path / "states.html")
    counts = {"rungs": 2, "states": 3, "gaps": 2, "probability": 2, "likelihood": 2, "scorecard": 2}
    page = browser.new_page(viewport={"width": 390, "height": 900})
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
        for width in (390, 1280):
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
