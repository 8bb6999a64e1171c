"""Simulated days written in the layout of each vendor, for the commands that read ticks."""

from __future__ import annotations

import gzip
import io
import zipfile

import polars as pl

from eventtape.clock import parse_ns
from eventtape.simulate import taq_day

SIDES = ("bid", "bid_size", "ask", "ask_size")
NS = pl.col("ts").cast(pl.Int64)


def simulated(date, *, seed=1, order="symbol", symbols=3, quotes=3_000, trades=900):
    day = taq_day(seed, date=date, order=order, symbols=symbols, quotes=quotes, trades=trades)
    text = pl.col("symbol").cast(pl.String)
    return day.trades.with_columns(text), day.quotes.with_columns(text)


def codes(sweep, average):
    """The condition column of trades: a sweep, and what keeps a trade out of prices."""
    out = pl.when("eligible").then(pl.lit("")).otherwise(pl.lit(average))
    return pl.when("iso").then(pl.lit(sweep) + out).otherwise(out)


def polygon(folder, date, trades, quotes):
    """One CSV.gz a side; the codes are separated by commas, so a text of two is quoted."""
    number = pl.int_range(pl.len()).alias("sequence_number")
    condition = codes("14,", "2").str.strip_chars_end(",").alias("conditions")
    traded = trades.select(
        pl.col("symbol").alias("ticker"), condition, number, NS.alias("sip_timestamp"), "price",
        "size", pl.lit(0).alias("correction"),
    )  # fmt: skip
    quoted = quotes.select(
        pl.col("symbol").alias("Ticker"), number, NS.alias("sip_timestamp"),
        *(pl.col(s).alias(f"{s.partition('_')[0]}_{'size' if '_' in s else 'price'}") / u
          for s, u in zip(SIDES, (1, 100, 1, 100), strict=True)),
    )  # fmt: skip
    paths = []
    for kind, frame in (("trades", traded), ("quotes", quoted)):
        paths.append(folder / f"{kind}_{date}.csv.gz")
        paths[-1].write_bytes(gzip.compress(frame.write_csv().encode()))
    return paths


def lean(folder, date, trades, quotes):
    """One zip a symbol and side, times cut to milliseconds, each quote two rows of one side."""
    midnight = parse_ns(f"{date}T00:00-05:00")
    ms = ((NS - midnight) // 1_000_000).alias("ms")
    for name in trades["symbol"].unique().sort():
        t, q = (side.filter(symbol=name) for side in (trades, quotes))
        mask = pl.when("iso").then(pl.lit("20000020")).otherwise(pl.lit("20000000"))
        rows = {
            "Trade": t.select(
                ms, (pl.col("price") * 10_000).round().cast(pl.Int64),
                pl.col("size").cast(pl.Int64), pl.lit("P").alias("venue"), mask.alias("mask"),
                pl.lit(0).alias("suspicious"),
            ).rows(),
            "Quote": [
                row
                for at, bid, bid_size, ask, ask_size in q.select(ms, *SIDES).iter_rows()
                for row in (
                    (at, round(bid * 10_000), int(bid_size), 0, 0, "P", "1", 0),
                    (at, 0, 0, round(ask * 10_000), int(ask_size), "P", "1", 0),
                )
            ],
        }  # fmt: skip
        for kind, lines in rows.items():
            data = io.BytesIO()
            member = f"{date.replace('-', '')}_{name.lower()}_{kind}_Tick.csv"
            with zipfile.ZipFile(data, "w") as archive:
                text = "".join(",".join(map(str, line)) + "\n" for line in lines)
                archive.writestr(member, text)
            (folder / f"{name}_{date}_{kind}.zip").write_bytes(data.getvalue())
    return [folder / "*_Trade.zip", folder / "*_Quote.zip"]


def taq(folder, date, trades, quotes):
    """Parquet with naive New York times; every quote is of venue N, and of venue Q a dearer one."""
    local = pl.col("ts").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    traded = trades.select(
        local.alias("DT"), pl.lit("N").alias("EX"), pl.col("symbol").alias("SYMBOL"),
        codes("F", "B").alias("COND"), pl.col("size").alias("SIZE"),
        pl.col("price").alias("PRICE"),
    )  # fmt: skip
    quoted = quotes.select(
        local.alias("DT"), pl.lit("N").alias("EX"), pl.col("symbol").alias("SYMBOL"),
        pl.col("bid").alias("BID"), (pl.col("bid_size") / 100).alias("BIDSIZ"),
        pl.col("ask").alias("OFR"), (pl.col("ask_size") / 100).alias("OFRSIZ"),
    )  # fmt: skip
    better = quoted.with_columns(
        pl.lit("Q").alias("EX"), pl.col("BID") + 0.01, pl.col("OFR") + 0.01
    )
    paths = [folder / f"t_{date}.parquet", folder / f"q_{date}.parquet"]
    traded.write_parquet(paths[0])
    pl.concat([quoted, better]).sort("SYMBOL", "DT", maintain_order=True).write_parquet(paths[1])
    return paths


def parquet(folder, date, trades, quotes):
    paths = [folder / f"trades_{date}.parquet", folder / f"quotes_{date}.parquet"]
    trades.write_parquet(paths[0])
    quotes.write_parquet(paths[1])
    return paths
