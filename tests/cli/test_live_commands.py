"""``replay``, ``live``, ``dashboard`` and ``train`` as a user types them."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cli.program_here import program
from eventtape.cli import live_run
from eventtape.cli.live_feeds import asked, kalshi_sign, sources_of
from eventtape.errors import InputError
from eventtape.store.journal import Journal
from eventtape.store.journal_files import journal_batches
from sources.live_server import LiveServer

PATIENCE_S = 120.0
TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"


def test_a_replay_as_json_says_the_newest_of_everything(tmp_path):
    done = program(
        "replay", "--simulate", 3, "--minutes", 4, "--every", "30s", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["simulated"] is True
    newest = said["newest"]
    assert {row["feed"] for row in newest["probability"]} == {"event", "other venue"}
    assert {row["market"] for row in newest["markets"]} == {"coin", "currency", "index", "oil"}
    assert len(newest["features"]) == 40
    assert {row["factor"] for row in newest["factors"]} == {"MKT", "SMB", "HML", "RMW", "CMA"}
    assert newest["density"][0]["status"] == "ok"
    assert {row["method"] for row in newest["states"]} == {"bounds", "joint fit"}


def test_a_trained_model_is_kept_and_scores_a_replay(tmp_path):
    done = program("train", "up", "--simulate", 3, "--every", "30s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "base rate" in done.stdout
    done = program(
        "replay", "--simulate", 4, "--minutes", 4, "--every", "30s", "--model", "up", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert len(json.loads(done.stdout)["newest"]["scores"]) == 40
    done = program("replay", "--simulate", 4, "--model", "down", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "a model among those saved (up)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "--speed", "0"), "a speed above 0, or max"),
        (("replay", "--speed", "fast"), "a speed above 0, or max"),
        (("replay", "--simulate", "1", "--minutes", "0.1", "--json"), "four option snapshots"),
        (("replay", "--simulate", "1", "--minutes", "2", "--screen", "wall"), "one of dashboard"),
        (("replay", "--dataset", "none", "--json"), "a run of this lake"),
        (("live", "--run", "a", "--feed", "nyse:SPY"), "venue among binance"),
        (("live", "--run", "a", "--feed", "binance:BTCUSDT"), "a feed of a probability"),
        (("live", "--run", "../a", "--feed", "polymarket:1"), "a run's name of letters"),
        (("dashboard", "nothing"), "a run among none"),
        (("train", "up"), "either --features or --simulate"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_run_is_refused_in_words(arguments, said, tmp_path):
    done = program(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_beyond_this_machine_wants_a_token(tmp_path):
    done = program(
        "replay", "--simulate", 1, "--minutes", 2, "--host", "0.0.0.0", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 2
    assert "token" in done.stderr


def test_a_run_that_is_going_on_keeps_its_options(tmp_path):
    folder = tmp_path / "lake" / "journal" / "night"
    with Journal(folder):
        before = live_run.begun_with(folder, {"title": "mine"})
        done = program(
            "live", "--run", "night", "--feed", f"polymarket:{TOKEN}", "--title", "theirs",
            "--screen", "none", cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode != 0
        assert "another" in done.stderr
        assert live_run.saved_options(folder) == before
    done = program(
        "live", "--run", "new", "--feed", f"polymarket:{TOKEN}", "--model", "none",
        "--screen", "none", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "a model among those saved" in done.stderr
    assert live_run.saved_options(folder.with_name("new")) is None


def test_feeds_are_named_by_venue_and_code():
    assert asked("fed=kalshi:FED-26DEC") == ("fed", "kalshi", "FED-26DEC")
    assert asked("binance:BTCUSDT").label == "Binance BTCUSDT"
    for text in ("binance", "binance:", "=binance:A", "nyse:A"):
        with pytest.raises(InputError, match="a feed as venue:code"):
            asked(text)
    found = sources_of(
        [asked("binance:BTCUSDT"), asked("deribit:BTC"), asked("coin=binance:ETHUSDT")], {}
    )
    labels = [feed.label for source in found for feed in source.feeds]
    assert labels == ["Binance BTCUSDT", "coin", "BTC option trades", "BTC index", "BTC chain"]


def test_a_key_that_is_missing_is_asked_for():
    with pytest.raises(InputError, match="a key in POLYGON_API_KEY"):
        sources_of([asked("polygon:SPY")], {})
    with pytest.raises(InputError, match="KALSHI_KEY_ID and KALSHI_KEY_FILE"):
        sources_of([asked("kalshi:A-B")], {})


def test_a_handshake_is_signed_with_the_key_of_the_environment(tmp_path):
    """RSA-PSS over timestamp, GET and path, checked with the public key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    headers = kalshi_sign({"KALSHI_KEY_ID": "me", "KALSHI_KEY_FILE": str(file)})("/path")
    import base64

    text = f"{headers['KALSHI-ACCESS-TIMESTAMP']}GET/path".encode()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"])
    key.public_key().verify(signature, text, pss, hashes.SHA256())
    file.write_text("no key")
    with pytest.raises(InputError, match="a PEM file with an RSA key"):
        kalshi_sign({"KALSHI_KEY_ID": "me", "KALSHI_KEY_FILE": str(file)})


def quotes():
    """A probability that walks, as whole books, ten a second."""
    rng = np.random.default_rng(5)
    level = 500
    yield 0.5
    while True:
        level = int(np.clip(level + rng.integers(-3, 4), 100, 900))
        sides = {"bids": level - 5, "asks": level + 5}
        said = {
            "event_type": "book",
            "asset_id": TOKEN,
            "market": "0x1",
            "timestamp": str(time.time_ns() // 1_000_000),
            "hash": "0x2",
            **{side: [{"price": f"{p / 1000:.3f}", "size": "10"}] for side, p in sides.items()},
        }
        yield json.dumps([said])
        yield 0.1


def trades():
    """A coin's trades, twenty a second."""
    rng = np.random.default_rng(6)
    price = 60_000.0
    for i in itertools.count(1):
        price += float(rng.integers(-5, 6))
        now = time.time_ns() // 1_000_000
        data = {"e": "trade", "E": now, "s": "BTCUSDT", "t": i, "p": f"{price:.2f}",
                "q": "0.01", "T": now, "m": bool(rng.integers(2))}  # fmt: skip
        yield json.dumps({"stream": "btcusdt@trade", "data": data})
        yield 0.05


@pytest.mark.parametrize(
    "stops", [(30,), pytest.param((30, 60), marks=pytest.mark.slow)], ids=["once", "twice"]
)
def test_a_run_is_journaled_stopped_gone_on_with_sealed_and_replayed(tmp_path, stops):
    """The program itself, on two venues of the loopback: run, Ctrl-C, run again, look, replay."""
    rest = {"/api/v3/trades": (200, b"[]"), "/api/v3/historicalTrades": (200, b"[]")}
    history = {"/prices-history": (200, b'{"history": []}')}
    with LiveServer(quotes(), history) as poly, LiveServer(trades(), rest, hellos=0) as coin:
        places = {
            "EVENTTAPE_POLYMARKET_WS": poly.url,
            "EVENTTAPE_POLYMARKET_REST": poly.rest,
            "EVENTTAPE_BINANCE_WS": coin.url,
            "EVENTTAPE_BINANCE_REST": coin.rest,
        }
        folder = tmp_path / "lake" / "journal" / "night"
        name = Path(sys.executable).with_name("eventtape")
        command = [
            name, "live", "--run", "night", "--screen", "none",
            "--feed", f"odds=polymarket:{TOKEN}", "--feed", "coin=binance:BTCUSDT",
            "--title", "A night", "--step-s", "1", "--horizon-s", "5",
        ]  # fmt: skip
        for wanted in stops:
            child = subprocess.Popen(
                command, cwd=tmp_path, env={**os.environ, **places}, text=True,
                stderr=subprocess.PIPE,
            )  # fmt: skip
            deadline = time.monotonic() + PATIENCE_S
            while min(count(folder).values(), default=0) < wanted:
                assert child.poll() is None, child.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=PATIENCE_S)
            assert child.returncode == 0, err
            assert "2 feeds in the lake as dataset night" in err
    held = count(folder)
    done = program("replay", "--dataset", "night", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["title"], said["simulated"]) == ("A night", False)
    assert set(said["newest"]) == {"probability", "markets", "leadership"}
    done = program("lake", "sql", "select count(*) as n from tape_trade", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)[0]["n"] == held["coin"]
    done = program("dashboard", "night", "--no-follow", "--screen", "terminal", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "A night" in done.stdout
    assert "odds" in done.stdout


def count(folder):
    """Rows by feed in a journal that somebody may be writing."""
    rows = dict.fromkeys(("odds", "coin"), 0)
    if folder.exists():
        for batch in journal_batches(folder):
            if batch.feed:
                rows[batch.feed] += batch.rows.height
    return rows
