"""The page of the densities: what it says, and in a browser painted, self-contained, narrow."""

from __future__ import annotations

import pytest

from eventtape.arrays import Status
from eventtape.report.density_page import render_densities, write_density_report
from eventtape.simulate.option_frame import option_frame
from eventtape.studies.densities import run
from eventtape.studies.densities_rows import DensitiesConfig
from eventtape.tape.chains import chains
from report.painted import PAINTED, READY
from studies.density_chains import as_chain, lognormal_chain, some, vogt_chain


@pytest.fixture(scope="module")
def result():
    made = option_frame(2)
    config = DensitiesConfig(checks=True, repair=True)
    notes = (f"Truth: {made.truth}",)
    two = chains(made.frame)[1:3]
    return run(two, config, truths=made.truths, simulated=True, notes=notes)


def body(page):
    return page.rpartition("<body>")[2].split("<script")[0]


def test_every_section_is_there_and_linked(result):
    said = body(render_densities(result, command="eventtape density --simulate 2"))
    keys = "findings laws surface expiries arbitrage tails checks repair quotes remake"
    for key in keys.split():
        assert f'href="#{key}"' in said
        assert f'id="{key}"' in said
    assert "SIMULATED DATA" in said
    assert "Truth: Heston&#x27;s model" in said
    assert "eventtape density --simulate 2" in said
    assert "http://" not in said
    assert "https://" not in said


def test_numbers_of_the_page_are_the_study_s(result):
    said = body(render_densities(result))
    for chain in result.chains:
        assert f"{100 * chain.atm_vol:.2f}% ± " in said
        assert f"{chain.fates['used']} of {chain.quotes.height}" in said
        assert f"{chain.tails.mass_below:.3%} ± " in said
        assert f"{chain.truth_distance:.4f}" in said
        for check in chain.cross_checks:
            assert f"{check.distance:.4f}" in said


def test_a_refused_chain_has_a_row_a_figure_and_its_reason():
    whole = as_chain(lognormal_chain())
    page = render_densities(run([some(whole, whole.is_call)]))
    said = body(page)
    assert "None of 1 chains has a density" in said
    assert "no strike has both a call and a put" in said
    assert str(Status.NOT_IDENTIFIED) in said
    assert 'id="arbitrage"' not in said
    assert "nan" not in said.lower().replace("finance", "")


def test_arbitrage_of_the_smile_is_in_the_table_with_its_errors():
    result = run([vogt_chain()])
    said = body(render_densities(result))
    butterfly = result.chains[0].violations[0]
    assert f'<td class="n">{-butterfly.over_error:.1f}</td>' in said
    assert "in the quotes" in said
    assert "0 of 1 expiries pass every check." in said


@pytest.fixture(scope="module")
def files(tmp_path_factory, result):
    """Two with a surface, one refused, one that is arbitrage: each kind of figure on a page."""
    broken = as_chain(lognormal_chain())
    calls = run([some(broken, broken.is_call), as_chain(lognormal_chain(days=60)), vogt_chain()])
    folder = tmp_path_factory.mktemp("pages")
    return (
        (write_density_report(result, folder / "simulated.html"), result.simulated),
        (write_density_report(calls, folder / "given.html"), calls.simulated),
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_painted_and_self_contained(browser, files, width):
    drawn = ((("surface", 3), ("expiries", 4)), (("expiries", 6),))
    for (path, simulated), counts in zip(files, drawn, strict=True):
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked, complaints = [], []
        page.on("request", lambda request, to=asked: to.append(request.url))
        page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
        page.on(
            "console",
            lambda said, to=complaints: (
                to.append(said.text) if said.type in {"error", "warning"} else None
            ),
        )
        try:
            page.goto(path.as_uri())
            page.wait_for_function(READY, timeout=20_000)
            for key, count in counts:
                painted = page.evaluate(PAINTED, key)
                assert len(painted) == count, key
                assert min(painted) > 500, (key, painted)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator(".banner").count() == (1 if simulated else 0)
            assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
            assert complaints == []
        finally:
            page.close()
