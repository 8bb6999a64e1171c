"""Tiny tick files by hand, in the layout of each vendor."""

from __future__ import annotations

import gzip
import io
import zipfile

T0 = 1_730_817_000_000_000_000  # 2024-11-05T14:30:00Z, the opening bell
TRADE_HEAD = (
    "ticker,conditions,correction,exchange,id,participant_timestamp,price,"
    "sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp"
)
QUOTE_HEAD = (
    "Ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,"
    "indicators,participant_timestamp,sequence_number,sip_timestamp,tape,trf_timestamp"
)


def trade(symbol="A", at=0, price="10.5", size="100", conditions="", sequence=None, correction=0):
    sequence = at if sequence is None else sequence
    listed = f'"{conditions}"' if "," in conditions else conditions
    return (
        f"{symbol},{listed},{correction},4,{sequence},{T0 + at - 5},{price},"
        f"{sequence},{T0 + at},{size},1,0,0"
    )


def quote(symbol="A", at=0, bid="10.4", bid_size="2", ask="10.6", ask_size="3", sequence=None):
    sequence = at if sequence is None else sequence
    return (
        f"{symbol},11,{ask},{ask_size},12,{bid},{bid_size},1,,{T0 + at - 5},{sequence},{T0 + at},1,"
    )


def text(*rows, head=TRADE_HEAD):
    return "\n".join([head, *rows]) + "\n"


def packed(*rows, head=TRADE_HEAD):
    return gzip.compress(text(*rows, head=head).encode(), mtime=0)


def zipped(member, *rows):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "".join(f"{row}\n" for row in rows))
    return data.getvalue()
