"""In a real browser: figures are painted and updated, controls work, nothing leaves the machine."""

from urllib.parse import urlsplit

import pytest

from dashboard.answer_rows import ABOUT, CHAINS, HOSTILE, fed_board, feed_board, set_feeds
from eventtape.dashboard.server import Server, serve
from eventtape.errors import InputError
from eventtape.stream.board import Board
from report.painted import PAINTED

SECTIONS = (
    "probability", "markets", "density", "states", "leadership", "features", "factors", "scores",
)  # fmt: skip
WIDTH = "document.documentElement.scrollWidth"


def mode(page, name):
    page.wait_for_function(f"document.getElementById('mode').dataset.mode === '{name}'")


def points(page):
    """How many quotes the probability's figure holds in the browser."""
    return page.evaluate(
        """() => Bokeh.documents[0].get_model_by_name("probability")
            .renderers.map(r => r.data_source).find(s => s.name === "quotes").get_length() ?? 0"""
    )


def stays(notes, server):
    """Every request went to the server, or stayed inside the page."""
    hosts = {urlsplit(url).netloc for url in notes.asked if not url.startswith(("data:", "blob:"))}
    return hosts == {urlsplit(server.url).netloc}


def test_it_draws_follows_holds_and_stays_at_home(watch):
    """The way of one reader, at one go: a page is dear to open."""
    board = fed_board(60, primary=HOSTILE)
    about = ABOUT._replace(primary=HOSTILE)
    set_feeds(board, primary=HOSTILE, message=HOSTILE)

    def look(page, notes):
        for key in SECTIONS:
            assert max(page.evaluate(PAINTED, key)) > 2_000, key
        assert page.evaluate(WIDTH) == 1280
        before = points(page)
        feed_board(board, 60, 80, primary=HOSTILE)
        page.wait_for_function("document.getElementById('event').textContent.includes('23:01:19')")
        assert points(page) == before + 20
        # by keyboard alone: to the pause button, press it, and to the slider
        page.evaluate("document.activeElement.blur()")
        met = []
        for _ in range(8):
            page.keyboard.press("Tab")
            met.append(page.evaluate("document.activeElement.id"))
            if met[-1] == "pause":
                page.keyboard.press("Enter")
                mode(page, "paused")
                assert (
                    page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    == "solid"
                )
        assert [name for name in met if name] == [
            "pause",
            "live",
            "back",
            "chain",
            "export",
            "dark",
        ]
        feed_board(board, 80, 100, primary=HOSTILE)
        page.wait_for_function("document.getElementById('mode').textContent.includes('20 s')")
        assert points(page) == before + 20
        page.focus("#back")
        page.keyboard.press("Home")
        mode(page, "back")
        page.wait_for_function("document.getElementById('event').textContent.includes('23:00:00')")
        href = page.get_attribute("#export", "href")
        assert href.startswith("/export/everything.zip?until_ns=17308476")
        page.click("#live")
        mode(page, "live")
        page.select_option("#chain", CHAINS[1])
        page.wait_for_function(
            "Bokeh.documents[0].get_model_by_name('wire').chain === 'BTC 29 Nov'"
        )
        assert HOSTILE in page.inner_text("#table-feeds")  # as text
        assert page.locator("img").count() == 0
        assert page.title() == "SIMULATED DATA: A simulated election · eventtape"
        assert page.locator(".banner").is_visible()
        assert page.locator("main, header, nav").count() == 3
        assert notes.complaints == []
        assert stays(notes, server)

    with serve(board, about) as server:
        watch(look, server.url)


@pytest.mark.slow
def test_on_a_phone_in_the_dark_after_a_restart(watch):
    board = Board()
    server = Server(board, ABOUT)
    empty = "document.getElementById('mode').dataset.mode === 'waiting' && watch.heard > 0"

    def look(page, notes):
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate(WIDTH) == 390
        assert (
            page.evaluate("Bokeh.documents[0].get_model_by_name('factors').title.text_color")
            == "#e6e6e6"
        )
        feed_board(board, 0, 40)
        set_feeds(board, "stale")
        board.fail("density", InputError("strikes above 0", met=-5.0), None)
        page.wait_for_function(
            "document.getElementById('amiss').textContent === 'odds is silent; density has stopped'"
        )
        assert page.evaluate(WIDTH) == 390
        assert notes.complaints == []
        server.stop()
        page.wait_for_selector("#gone:not([hidden])")
        assert "does not answer" in page.inner_text("#gone")
        assert max(page.evaluate(PAINTED, "probability")) > 2_000  # what was there stays
        server.start()
        page.wait_for_selector("#gone", state="hidden")
        mode(page, "live")
        page.wait_for_function(
            "Bokeh.documents[0].get_model_by_name('probability')"
            ".renderers.some(r => r.data_source.get_length() === 40)"
        )
        assert stays(notes, server)

    with server:
        watch(look, server.url, width=390, height=844, scheme="dark", ready=empty)
