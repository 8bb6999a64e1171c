"""The leadership section of the page: leaders with value and interval, or why there is none."""

import math

from eventtape.report import render
from eventtape.studies.leadership_findings import between, measured_by, placebo_sentence
from figures import edge_results
from report.test_page import Page


def tables_of(page, text):
    return next(t for t in page.tables if any(text in cell for cell in t[0]))


def test_each_method_has_a_row_a_pair_and_a_column_a_step(night, night_page):
    page = Page(night_page)
    by_steps = [t for t in page.tables if t[0][0] == "Pair" and t[0][-1] == "Least q"]
    assert len(by_steps) == 4
    assert by_steps[0][0] == ["Pair", "Ticks", "Least q"]
    assert all(t[0][1:-1] == ["60 s", "5 min", "10 min", "30 min"] for t in by_steps[1:])
    pairs = [{frozenset((e.first, e.second)) for e in edges} for edges in _by_method(night)]
    assert [len(t) - 1 for t in by_steps] == [len(p) for p in pairs] == [10, 10, 6, 4]
    lag = next(e for e in night.leadership.edges if (e.leader, e.follower) == ("event", "coin"))
    row = next(r for r in by_steps[0] if r[0] == "event · coin")
    assert row[1] == f"event {measured_by(lag)} ({between(lag)})"
    for table in by_steps:
        for line in table[1:]:
            for cell in line[1:-1]:
                assert cell.startswith(("event", "coin", "currency", "index", "— "))
                assert len(cell) > 3


def _by_method(night):
    for method in ("lead-lag", "granger", "shared trend", "speed"):
        yield [e for e in night.leadership.edges if e.method == method]


def test_the_placebo_stands_beside_the_result(night, night_page):
    text = night_page
    sentence = placebo_sentence(night)
    assert "runs on shuffled feeds, where nobody leads" in sentence
    section = text[text.index('id="lead-lag"') :]
    assert sentence in section[: section.index("<figure>")]
    rows = tables_of(Page(text), "Runs that named a leader")
    assert [r[0] for r in rows[1:]] == [p.method for p in night.leadership.placebos]
    without = Page(render(edge_results.one_market()))
    assert "The rules were not tried on shuffled feeds" in without.text


def test_a_shared_trend_has_its_caution_beside_it(night):
    edges = night.leadership.edges
    k, claimed = next((k, e) for k, e in enumerate(edges) if e.method == "shared trend")
    claimed = claimed._replace(leader=claimed.first, follower=claimed.second, q_value=1e-46)
    led = (*edges[:k], claimed, *edges[k + 1 :])
    page = render(night._replace(leadership=night.leadership._replace(edges=led)))
    below = page[page.index("Shared trend, prices only") :]
    assert "not as tied for good" in below[: below.index("Speed for the probability")]
    rows = [t for t in Page(page).tables if t[0][-1] == "Least q"]
    assert [f"{claimed.first} · {claimed.second}", "< 0.001"] in [[r[0], r[-1]] for r in rows[2]]


def test_the_contents_lead_to_the_leaders_by_step(night_page):
    page = Page(night_page)
    assert ("a", {"href": "#leaders-by-step"}) in page.tags
    assert ("h3", {"id": "leaders-by-step"}) in page.tags
    assert "the least q of a row is the smallest over its steps, not adjusted" in page.text


def test_a_placebo_not_asked_has_no_rate(night):
    mute = tuple(row._replace(asked=0) for row in night.leadership.placebos)
    page = Page(render(night._replace(leadership=night.leadership._replace(placebos=mute))))
    assert [row[4] for row in tables_of(page, "Runs that named a leader")[1:]] == [
        "— not asked"
    ] * len(mute)
    assert "no rule could be asked" in page.text


def test_fair_game_and_spillovers_are_tables(night, night_page):
    page = Page(night_page)
    _, *rows = tables_of(page, "Variance ratio")
    assert len(rows) == sum(len(r.horizons) for r in night.leadership.martingales)
    first = night.leadership.martingales[0]
    assert rows[0][3] == f"{first.ratios[0]:.2f}"
    assert rows[0][4] == f"{first.null_lower[0]:.2f} to {first.null_upper[0]:.2f}"
    _, *shares = tables_of(page, "From the others")
    refused = [r for r in night.leadership.spillovers if not math.isfinite(r.total)]
    assert sum(line[2].startswith("— ") for line in shares) == len(refused) > 0


def test_withheld_numbers_are_reasons():
    page = Page(render(edge_results.refused(edge_results.whole_night())))
    assert "these data do not say" in page.text
    assert " moved before event" not in page.text
    assert "event moved before" not in page.text
