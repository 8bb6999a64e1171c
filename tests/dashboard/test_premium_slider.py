"""The report's page behind the dashboard's guard, and its slider as a reader moves it."""

from __future__ import annotations

import json
import math
import types

import httpx
import numpy as np
import pytest

from eventtape.cli import page_serve
from eventtape.dashboard.page_server import PageServer, serve_page
from eventtape.errors import InputError
from eventtape.figures.premium_slider import slider_of, stripped
from eventtape.report.premium_page import render_premium
from eventtape.report.premium_slider import slider_box
from figures import premium_results as made
from report.painted import READY

SLOW_S = 120.0  # a machine may be busy: nothing is timed here
TOKEN = "an-honest-token-of-the-tests"
SOURCE = "() => Bokeh.documents[0].get_model_by_name('stripped 0').data.y"
ASK = """([value, others]) => {
  const box = document.querySelector("[data-slider]")
  const range = box.querySelector("[type=range]")
  box.querySelector("[type=checkbox]").checked = others
  range.value = String(value)
  range.dispatchEvent(new Event("input"))
  const said = {}
  for (const one of box.querySelectorAll("[data-say]")) said[one.dataset.say] = one.textContent
  const y = Bokeh.documents[0].get_model_by_name("stripped 0").data.y
  return {y: Array.from(y, v => Number.isFinite(v) ? v : null), said}
}"""


@pytest.fixture(scope="module")
def whole():
    return made.result(made.row(history=False))


@pytest.fixture(scope="module")
def html(whole):
    return render_premium(whole)


@pytest.fixture(scope="module")
def server(html):
    with serve_page(html) as running:
        yield running


def get(server, path, **headers):
    return httpx.get(f"{server.url.rstrip('/')}{path}", headers=headers, timeout=SLOW_S)


def test_the_page_and_nothing_else(server, html):
    answer = get(server, "/")
    assert (answer.status_code, answer.text) == (200, html)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert get(server, "/healthz").text == "ok\n"
    for path in ("/ws", "/export/feeds.csv", "/premium"):
        assert get(server, path).status_code == 404


def test_other_sites_and_other_names_may_not_ask(server):
    assert get(server, "/", Host="evil.example").status_code == 403
    assert get(server, "/", Origin="http://evil.example").status_code == 403
    answer = httpx.post(server.url, timeout=SLOW_S)
    assert answer.status_code == 405


def test_the_token_guards_it(html):
    with serve_page(html, token=TOKEN) as locked:
        assert get(locked, "/").status_code == 403
        with httpx.Client(base_url=locked.url, timeout=SLOW_S) as client:
            assert client.get("/", params={"token": TOKEN}).status_code == 303
            assert client.get("/").text == html


def test_beyond_the_loopback_it_wants_a_token_and_a_page_is_one(html):
    with pytest.raises(InputError, match="a token to serve beyond this machine"):
        PageServer(html, host="0.0.0.0")
    with pytest.raises(InputError, match="a whole page of HTML"):
        PageServer("<p>a part</p>")


def test_the_slider_has_its_numbers_and_marks(whole):
    slider = slider_of(whole.rows[0])
    said = slider_box(slider, "stripped 0", "0")
    parts = json.loads(said.split('data-slider="')[1].split('"')[0].replace("&quot;", '"'))
    assert parts["size"] == slider.size
    assert parts["variance"] == slider.variance.tolist()
    assert 'class="interval"' in said
    assert "estimate 8.00%, 7.36% to 8.56%" in said
    refused = slider_box(slider._replace(size=math.nan, lower=math.nan, upper=math.nan), "a", "0")
    assert 'class="estimate"' not in refused
    assert "&quot;size&quot;: null" in refused
    alone = slider_box(slider._replace(others=np.zeros(13)), "a", "0")
    assert "checkbox" not in alone
    many = slider_box(slider._replace(column=3.0 * slider.column), "a", "0")
    assert "Size of election, each of 3, one standard deviation" in many


def test_moving_the_slider_redraws_the_curve(watch, server, whole):
    slider = slider_of(whole.rows[0])

    def look(page, notes):
        first = page.evaluate(ASK, [100.0 * slider.start, True])
        asked = [page.evaluate(ASK, [v, o]) for v, o in ((5.0, True), (8.0, False), (17.5, True))]
        page.locator(".slider button").click()
        back = page.evaluate(SOURCE)
        page.locator("[type=range]").focus()
        page.keyboard.press("ArrowRight")
        size = page.locator("[data-say=size]").inner_text()
        return first, asked, back, size, notes.complaints, notes.asked

    first, asked, back, size, complaints, requests = watch(look, server.url, width=390, ready=READY)
    for got, value, others in ((first, slider.start, True), (asked[0], 0.05, True),
                               (asked[1], 0.08, False), (asked[2], 0.175, True)):  # fmt: skip
        want = 100.0 * stripped(slider, value, others=others)
        met = np.array([math.nan if v is None else v for v in got["y"]])
        assert np.allclose(met, want, equal_nan=True, rtol=1e-12)
    assert np.allclose(back, first["y"])
    assert size == "8.05%"
    iv = 100.0 * stripped(slider, 0.05)
    assert asked[0]["said"]["rough"] == f"{np.sum(np.diff(iv, 2) ** 2):.2f}"
    assert asked[0]["said"]["place"] == "below the interval 7.36% to 8.56%"
    assert first["said"]["place"] == "inside the interval 7.36% to 8.56%"
    assert float(first["said"]["rough"]) < float(asked[0]["said"]["rough"])
    assert first["said"]["short"] == "none"
    assert asked[2]["said"]["short"] == "1 of 13, left blank"
    assert asked[2]["said"]["rough"].startswith("— takes more")
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [server.url]


def test_a_page_is_served_until_ctrl_c(html, tmp_path, monkeypatch, capsys):
    page = tmp_path / "premium.html"
    page.write_text(html, "utf-8")
    seen = []

    class CtrlC:
        def wait(self):
            said = capsys.readouterr().err
            seen.append(httpx.get(said.split()[2].rstrip(";"), timeout=SLOW_S).text)
            raise KeyboardInterrupt

    monkeypatch.setattr(page_serve, "threading", types.SimpleNamespace(Event=CtrlC))
    page_serve.serve_until_stopped(page)
    assert seen == [html]
    assert capsys.readouterr().err == "eventtape: stopping\n"
