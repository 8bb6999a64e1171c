"""The server's doors: where it binds, whom it answers, what it gives away."""

import contextlib
import csv
import io
import math
import zipfile

import httpx
import polars as pl
import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from dashboard.answer_rows import ABOUT, HOSTILE, START, fed_board
from eventtape.clock import SECOND
from eventtape.dashboard.about import About
from eventtape.dashboard.export import NAMES, csv_of
from eventtape.dashboard.guard import Guard
from eventtape.dashboard.server import Server, serve
from eventtape.errors import InputError
from eventtape.stream.board import Board

SLOW_S = 120.0  # a machine may be busy: nothing is timed here
TOKEN = "an-honest-token-of-the-tests"
STATIC = "/static/js/bokeh.min.js"
PATHS = ("/", STATIC, "/healthz", "/export/feeds.csv", "/favicon.ico", "/nowhere")


@pytest.fixture(scope="module")
def open_server():
    with serve(fed_board(primary="=cmd()"), ABOUT) as server:
        yield server


@pytest.fixture(scope="module")
def locked_server():
    with serve(fed_board(), ABOUT, token=TOKEN) as server:
        yield server


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_beyond_the_loopback_it_wants_a_token(host):
    with pytest.raises(InputError, match="a token to serve beyond this machine"):
        Server(Board(), ABOUT, host=host)


def test_a_short_token_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="16 characters") as caught:
        Server(Board(), ABOUT, host="0.0.0.0", token="hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_is_one(port):
    with pytest.raises(InputError, match="a port from 0 to 65535"):
        Server(Board(), ABOUT, port=port)


def test_a_taken_port_is_said(open_server):
    with pytest.raises(InputError, match="that can be bound"):
        serve(Board(), ABOUT, port=open_server.port)


@pytest.mark.parametrize(
    "about",
    [ABOUT._replace(title=" "), ABOUT._replace(start_ns=5, end_ns=4)],
    ids=["title", "window"],
)
def test_an_event_without_a_title_or_with_an_end_before_its_start(about):
    with pytest.raises(InputError):
        Server(Board(), about)


def get(server, path, **headers):
    return httpx.get(f"{server.url.rstrip('/')}{path}", headers=headers, timeout=SLOW_S)


def test_health_is_plain(open_server):
    answer = get(open_server, "/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["content-type"].startswith("text/plain")


def test_every_path_wants_the_token(locked_server):
    for path in PATHS:
        for address in (path, f"{path}?token=wrong-token-of-the-tests", f"{path}?token="):
            answer = get(locked_server, address)
            assert answer.status_code == 403, address
            assert answer.text == "Open the address with ?token=... once.\n"
        answer = get(locked_server, path, Cookie=f"eventtape-{locked_server.port}=guess")
        assert answer.status_code == 403


def test_the_token_is_traded_for_a_cookie_and_leaves_the_address(locked_server):
    with httpx.Client(base_url=locked_server.url, timeout=SLOW_S) as client:
        answer = client.get("/", params={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert TOKEN not in cookie
        assert client.get("/healthz").status_code == 200
        assert client.get(STATIC).status_code == 200
    assert (
        get(locked_server, f"/healthz?token={TOKEN}").status_code == 403
    )  # the page's address only


def socket_of(server, **headers):
    """A websocket as Bokeh opens it."""
    token = generate_jwt_token(generate_session_id())
    return connect(
        f"{server.url.replace('http', 'ws')}ws",
        subprotocols=[Subprotocol("bokeh"), Subprotocol(token)],
        additional_headers=headers,
        open_timeout=SLOW_S,
    )


def refused(server, **headers):
    with pytest.raises(InvalidStatus) as caught, socket_of(server, **headers):
        pass
    return caught.value.response.status_code


def test_the_websocket_wants_the_token_and_its_own_origin(locked_server):
    own = locked_server.url.rstrip("/")
    guard = Guard("127.0.0.1", locked_server.port, TOKEN, ())
    cookie = f"{guard.cookie}={guard.pass_}"
    assert refused(locked_server, Origin=own) == 403
    assert refused(locked_server, Origin=own, Cookie=f"{guard.cookie}=x") == 403
    assert refused(locked_server, Origin="http://evil.example", Cookie=cookie) == 403
    with socket_of(locked_server, Origin=own, Cookie=cookie) as socket:
        assert "ACK" in "".join(str(socket.recv(timeout=SLOW_S)) for _ in range(3))


def test_open_to_the_loopback_is_not_open_to_other_sites(open_server):
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{open_server.port + 1}"):
        assert refused(open_server, Origin=origin) == 403
        assert get(open_server, "/export/feeds.csv", Origin=origin).status_code == 403
    for host in ("evil.example", f"evil.example:{open_server.port}", "evil.example@127.0.0.1"):
        assert get(open_server, "/healthz", Host=host).status_code in (
            400,
            403,
        )  # a name pointed at us


@pytest.mark.parametrize(
    ("host", "asked", "known"),
    [
        ("127.0.0.1", "localhost:5006", True),
        ("127.0.0.1", "[::1]:5006", True),
        ("127.0.0.1", "192.0.2.7:5006", False),
        ("0.0.0.0", "192.0.2.7:5006", True),
        ("0.0.0.0", "desk.example:5006", True),
        ("0.0.0.0", "evil.example:5006", False),
        ("0.0.0.0", "desk.example:port", False),
        ("::", "[2001:db8::7]", True),
    ],
)
def test_which_hosts_are_ours(host, asked, known):
    guard = Guard(host, 5006, TOKEN, ("desk.example",))
    assert guard._known_host(asked) is known


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_lead_here_and_load_nothing(open_server, site):
    """Pictures and scripts come without an Origin: the browser's word for where they come from."""
    for mode in ("no-cors", "cors", "websocket", ""):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
        assert get(open_server, "/export/feeds.csv", **headers).status_code == 403, mode
    led = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    assert get(open_server, "/export/feeds.csv", **led).status_code == 200
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert get(open_server, "/export/feeds.csv", **own).status_code == 200


def test_other_paths_and_methods_do_not_exist(open_server):
    for path in ("/autoload.js", "/metadata", "/static/", "/static/js/", "/exports", "/admin"):
        assert get(open_server, path).status_code in (403, 404), path
    assert "href" not in get(open_server, "/static/js/").text  # no listing
    assert httpx.post(open_server.url, content=b"x").status_code == 405


def test_every_answer_locks_the_browser_to_this_server(open_server):
    for path in PATHS[1:]:
        headers = get(open_server, path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "connect-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_exports_come_from_a_fixed_list(open_server):
    for name in (
        "passwd",
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e%2fabout.py",
        "probability.csv%00",
    ):
        assert get(open_server, f"/export/{name}").status_code == 404, name
    for until in ("-1", "1e9", "nan", "٣", "9" * 40, "1;2"):
        assert get(open_server, f"/export/feeds.csv?until_ns={until}").status_code == 400, until


def test_exported_rows_are_those_of_the_board(open_server):
    until = START + 29 * SECOND
    answer = get(open_server, f"/export/probability.csv?until_ns={until}")
    assert (
        answer.headers["content-disposition"] == 'attachment; filename="eventtape-probability.csv"'
    )
    rows = pl.read_csv(answer.content)
    kept = open_server.board.rows("probability", until_ns=until)
    assert rows["mean"].to_list() == kept["mean"].to_list()
    assert rows["ts"][-1] == "2024-11-05T23:00:29.000000000Z"
    assert set(rows["feed"]) == {"'=cmd()"}  # never a formula
    whole = zipfile.ZipFile(io.BytesIO(get(open_server, "/export/everything.zip").content))
    assert set(whole.namelist()) == {"about.txt", *NAMES[1:]}
    assert "SIMULATED" in whole.read("about.txt").decode()
    density = pl.read_csv(whole.read("density.csv"))
    assert next(float(x) for x in density["strikes"][0].split()) == 60.0


def test_no_text_of_an_export_is_a_formula():
    texts = ["=1+1", "  =1+1", "\n@A1", " -2+3", "+1", "\t1", "a=1", "plain, with comma"]
    rows = pl.DataFrame({"who": texts, "x": [-1.5] * len(texts)})
    heading, first, *_ = csv_of(rows).decode().splitlines()
    assert (heading, first) == ('"who","x"', '"\'=1+1",-1.5')
    back = pl.read_csv(csv_of(rows))
    assert back["who"].to_list() == [f"'{text}" for text in texts[:6]] + texts[6:]
    assert back["x"].to_list() == rows["x"].to_list()


def test_lists_of_an_export_come_apart_again_and_none_of_their_texts_is_a_formula():
    numbers = [[0.1, -1e-300, 1e300, math.nan, 1 / 3, None], [], None, [-0.0]]
    words = [["=1+1", "a, b", None, " @x"], [], None, ["two\r\nlines", "-2"]]
    kinds = {"x": pl.List(pl.Float64), "who": pl.List(pl.String), "kind": pl.List(pl.Categorical)}
    rows = pl.DataFrame({"x": numbers, "who": words, "kind": words}, schema=kinds)
    back = list(csv.DictReader(io.StringIO(csv_of(rows).decode(), newline="")))
    found = [[float(x) for x in row["x"].split()] for row in back]
    assert repr(found) == repr([[*numbers[0][:5], math.nan], [], [], [-0.0]])
    for name in ("who", "kind"):
        texts = [row[name].split("\n") for row in back]
        assert texts == [["'=1+1", "a, b", "", "' @x"], [""], [""], ["two lines", "'-2"]]


def test_text_of_feeds_and_events_is_escaped_in_the_page():
    about = About("x", HOSTILE, HOSTILE, HOSTILE, notes=(HOSTILE,))
    with serve(fed_board(primary=HOSTILE), about) as server:
        answer = get(server, "/")
    page = answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<img" not in page
    assert "&lt;img src=x onerror=" in page


def test_it_stops_and_starts_on_the_same_port():
    server = Server(Board(), ABOUT)
    assert not server.alive
    server.stop()
    with server:
        port = server.port
        assert get(server, "/healthz").status_code == 200
        assert server.start() is server
    assert not server.alive
    with contextlib.suppress(httpx.TransportError):
        assert get(server, "/healthz").status_code == 0
    with server:
        assert server.port == port
        assert get(server, STATIC).status_code == 200
