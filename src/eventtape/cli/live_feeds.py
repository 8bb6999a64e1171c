"""Live sources from what a user types: ``venue:code`` or ``label=venue:code``.

============================  ==============================================================
``kalshi:TICKER``             trades and best quotes of a contract; a key is needed, see below
``polymarket:TOKEN``          best quotes of an outcome token
``binance:PAIR``              trades of a pair, such as BTCUSDT
``deribit:BTC``               option trades, index and the option chain of a currency
``polygon:SYMBOL,SYMBOL``     trades and quotes of stocks, ``*`` for all; a key is needed
``kafka://host:port/topic``   what another run publishes (with ``--from``)
============================  ==============================================================

Keys come from the environment: ``POLYGON_API_KEY``; ``KALSHI_KEY_ID`` and ``KALSHI_KEY_FILE`` (a
PEM file), which need the extra ``eventtape[kalshi]``. Base addresses can be set there too, by
``EVENTTAPE_<VENUE>_WS`` and ``EVENTTAPE_<VENUE>_REST``.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eventtape.errors import InputError

if TYPE_CHECKING:
    from eventtape.tape.live_source import LiveSource

__all__ = ["Asked", "asked", "sources_of"]

VENUES = ("binance", "deribit", "kalshi", "polygon", "polymarket")


class Asked(NamedTuple):
    """One feed that a user asked for."""

    label: str
    venue: str
    code: str


def asked(text: str) -> Asked:
    """What ``label=venue:code`` names; anything else is an :class:`InputError`."""
    label, _, place = text.rpartition("=")
    venue, _, code = place.partition(":")
    if venue not in VENUES or not code or (not label and "=" in text):
        wanted = f"a feed as venue:code or label=venue:code, venue among {', '.join(VENUES)}"
        raise InputError(wanted, met=text, column="--feed")
    return Asked(label or f"{venue.capitalize()} {code}", venue, code)


def sources_of(feeds: Sequence[Asked], environment: Mapping[str, str]) -> list[LiveSource]:
    """One connection a venue; keys and base addresses from ``environment``."""
    by_venue: dict[str, list[Asked]] = {}
    for one in feeds:
        mine = by_venue.setdefault(one.venue, [])
        if any(other.code == one.code for other in mine):
            wanted = f"{one.venue}:{one.code} once"
            raise InputError(wanted, met=f"again as {one.label}", column="--feed")
        mine.append(one)
    found: list[LiveSource] = []
    for venue, mine in by_venue.items():
        found += _MAKERS[venue](mine, environment)
    return found


def _places(venue: str, environment: Mapping[str, str], ws: str, rest: str) -> dict[str, Any]:
    """Base addresses that the environment names, by the parameters that take them."""
    named = {ws: f"EVENTTAPE_{venue.upper()}_WS", rest: f"EVENTTAPE_{venue.upper()}_REST"}
    return {key: environment[name] for key, name in named.items() if environment.get(name)}


def _kalshi(feeds: list[Asked], environment: Mapping[str, str]) -> list[LiveSource]:
    from eventtape.sources.kalshi_live import KalshiContract, KalshiLive
    from eventtape.sources.live_socket import Socket

    contracts = [KalshiContract(one.label, one.code.split("-")[0], one.code) for one in feeds]
    places = _places("kalshi", environment, "url", "base")
    sign = None if "url" in places else kalshi_sign(environment)
    return [Socket(KalshiLive(contracts, sign=sign, **places))]


def _polymarket(feeds: list[Asked], environment: Mapping[str, str]) -> list[LiveSource]:
    from eventtape.sources.live_socket import Socket
    from eventtape.sources.polymarket_live import PolymarketContract, PolymarketLive

    contracts = [
        PolymarketContract(one.label, f"polymarket:{one.code[:12]}", one.code) for one in feeds
    ]
    return [Socket(PolymarketLive(contracts, **_places("polymarket", environment, "url", "base")))]


def _binance(feeds: list[Asked], environment: Mapping[str, str]) -> list[LiveSource]:
    from eventtape.sources.binance_live import BinanceLive
    from eventtape.sources.live_socket import Socket

    pairs = {one.code: one.label for one in feeds}
    return [Socket(BinanceLive(pairs, **_places("binance", environment, "url", "rest")))]


def _deribit(feeds: list[Asked], environment: Mapping[str, str]) -> list[LiveSource]:
    from eventtape.sources.deribit_live import DeribitLive
    from eventtape.sources.deribit_poll import DeribitChain
    from eventtape.sources.live_socket import Socket

    places = _places("deribit", environment, "url", "base")
    base = {name: place for name, place in places.items() if name == "base"}
    made: list[LiveSource] = []
    for one in feeds:
        index = f"{one.code.lower()}_usd"
        made += [
            Socket(DeribitLive(one.code, index=index, **places)),
            DeribitChain(one.code, **base),
        ]
    return made


def _polygon(feeds: list[Asked], environment: Mapping[str, str]) -> list[LiveSource]:
    from eventtape.sources.live_socket import Socket
    from eventtape.sources.polygon_live import PolygonLive, keyed_client

    key = environment.get("POLYGON_API_KEY", "")
    if not key:
        raise InputError("a key in POLYGON_API_KEY", met="none", column="--feed polygon:...")
    symbols = [symbol for one in feeds for symbol in one.code.split(",")]
    venue = PolygonLive(key, symbols, **_places("polygon", environment, "url", "rest"))
    return [Socket(venue, client=keyed_client(key))]


_MAKERS: dict[str, Callable[[list[Asked], Mapping[str, str]], list[LiveSource]]] = {
    "binance": _binance,
    "deribit": _deribit,
    "kalshi": _kalshi,
    "polygon": _polygon,
    "polymarket": _polymarket,
}


def kalshi_sign(environment: Mapping[str, str]) -> Callable[[str], Mapping[str, str]]:
    """Signs the handshake with the key that the environment names: RSA-PSS, SHA-256."""
    missing = [name for name in ("KALSHI_KEY_ID", "KALSHI_KEY_FILE") if not environment.get(name)]
    if missing:
        raise InputError(f"a key in {' and '.join(missing)}", met="none", column="--feed kalshi:…")
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding
    except ImportError as error:
        wanted = "the package cryptography (pip install 'eventtape[kalshi]')"
        raise InputError(wanted, met="not installed") from error
    file = Path(environment["KALSHI_KEY_FILE"])
    try:
        key: Any = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError("a PEM file with an RSA key", met=str(error), file=file) from error
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)

    def sign(path: str) -> dict[str, str]:
        now = str(time.time_ns() // 1_000_000)
        signature = key.sign(f"{now}GET{path}".encode(), pss, hashes.SHA256())
        return {
            "KALSHI-ACCESS-KEY": environment["KALSHI_KEY_ID"],
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
            "KALSHI-ACCESS-TIMESTAMP": now,
        }

    return sign


def from_environment() -> Mapping[str, str]:
    """The process's environment: read here and nowhere in the library."""
    return os.environ
