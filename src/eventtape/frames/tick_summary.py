"""What a reader asks of each ticker before trusting its features: one row a ticker, few numbers.

Counted over eligible trades and over quotes of the hours given, as chunks pass by. A trade is *at
the quote* where its price is the bid or the ask of the book it met, among trades that met a book
with both sides and not crossed (as ``pct_at_quote`` of the features). The spread is that of every
quote with both sides and not crossed, each quote counting once; to have its exact median in bounded
memory, spreads are counted by the hundredth of a cent.
"""

from __future__ import annotations

import polars as pl

__all__ = ["TickSummary"]

_TICK = 1e-4  # dollars: the smallest step of a quoted price
_HELD, _PARTS = 1 << 18, 256  # rows of counts, and frames of them, that may wait to be added up
_TRADES = (
    "num_trades",
    "num_trades_iso",
    "shares",
    "shares_iso",
    "met_iso",
    "met_other",
    "at_iso",
    "at_other",
    "quote_test",
    "tick_test",
)


class TickSummary:
    """Adds up chunks; memory holds counts by ticker and by ticker and spread."""

    def __init__(self) -> None:
        self._trades = _Counts(["ticker"], list(_TRADES))
        self._spreads = _Counts(["ticker", "spread"], ["num_quotes"])

    def add(
        self, signed: pl.DataFrame, quotes: pl.DataFrame, hours: tuple[int, int] | None = None
    ) -> None:
        """Count a chunk: trades as ``sign_stream`` gives them, and the quotes beside them.

        ``hours`` are open and close in ns UTC; None counts all.
        """
        ts = pl.col("ts").cast(pl.Int64)
        inside = pl.lit(value=True) if hours is None else ts.is_between(*hours, closed="left")
        book = (pl.col("bid") > 0.0) & (pl.col("bid") <= pl.col("ask"))
        at = book & ((pl.col("price") == pl.col("bid")) | (pl.col("price") == pl.col("ask")))
        iso, source = pl.col("iso"), pl.col("sign_source")
        rows = signed.lazy().filter(inside & pl.col("eligible")).group_by(_ticker())
        self._trades.add(
            rows.agg(
                pl.len().alias("num_trades"),
                iso.sum().alias("num_trades_iso"),
                pl.col("size").sum().alias("shares"),
                pl.col("size").filter(iso).sum().alias("shares_iso"),
                (book & iso).sum().alias("met_iso"),
                (book & ~iso).sum().alias("met_other"),
                (at & iso).sum().alias("at_iso"),
                (at & ~iso).sum().alias("at_other"),
                (source == "quote test").sum().alias("quote_test"),
                (source == "tick test").sum().alias("tick_test"),
            ).collect()
        )
        spread = ((pl.col("ask") - pl.col("bid")) / _TICK).round().cast(pl.Int64).alias("spread")
        self._spreads.add(
            quotes.lazy()
            .filter(inside & book)
            .group_by(_ticker(), spread)
            .agg(pl.len().alias("num_quotes"))
            .collect()
        )

    def table(self) -> pl.DataFrame:
        """One row a ticker, shares from 0 to 1, null where nothing was met to take a share of.

        ``ticker, num_trades, pct_trades_iso, pct_volume_iso, pct_at_quote_iso,
        pct_at_quote_other, pct_quote_test, pct_tick_test, pct_unsigned, num_quotes,
        median_spread`` (dollars).
        """
        n = pl.col("num_trades")
        traded = self._trades.table().select(
            "ticker",
            "num_trades",
            (pl.col("num_trades_iso") / n).alias("pct_trades_iso"),
            (pl.col("shares_iso") / pl.col("shares")).alias("pct_volume_iso"),
            (pl.col("at_iso") / pl.col("met_iso")).alias("pct_at_quote_iso"),
            (pl.col("at_other") / pl.col("met_other")).alias("pct_at_quote_other"),
            (pl.col("quote_test") / n).alias("pct_quote_test"),
            (pl.col("tick_test") / n).alias("pct_tick_test"),
            (1.0 - (pl.col("quote_test") + pl.col("tick_test")) / n).alias("pct_unsigned"),
        )
        quoted = (
            self._spreads.table()
            .sort("ticker", "spread")
            .group_by("ticker", maintain_order=True)
            .agg(pl.col("num_quotes").sum(), _median().alias("median_spread"))
        )
        both = traded.join(quoted, on="ticker", how="full", coalesce=True)
        return (
            both.with_columns(pl.col("num_trades", "num_quotes").fill_null(0).cast(pl.Int64))
            .with_columns(pl.selectors.float().fill_nan(None))
            .sort("ticker")
        )


class _Counts:
    """Sums by key, added up whenever many rows have gathered."""

    def __init__(self, keys: list[str], columns: list[str]) -> None:
        self._keys, self._columns = keys, columns
        self._parts: list[pl.DataFrame] = []
        self._rows = self._summed = 0

    def add(self, part: pl.DataFrame) -> None:
        if part.height:
            self._parts.append(part.select(*self._keys, pl.col(self._columns).cast(pl.Float64)))
            self._rows += part.height
        if self._rows > 2 * self._summed + _HELD or len(self._parts) > _PARTS:
            self.table()

    def table(self) -> pl.DataFrame:
        if not self._parts:
            texts = {name: pl.String() if name == "ticker" else pl.Int64() for name in self._keys}
            return pl.DataFrame(schema=texts | dict.fromkeys(self._columns, pl.Float64()))
        total = pl.concat(self._parts).group_by(self._keys, maintain_order=True).sum()
        self._parts, self._rows, self._summed = [total], total.height, total.height
        return total


def _ticker() -> pl.Expr:
    return pl.col("symbol").cast(pl.String).alias("ticker")


def _median() -> pl.Expr:
    """The median of spreads that rise, each as often as its count; two middle ones are halved."""
    n, below = pl.col("num_quotes").sum(), pl.col("num_quotes").cum_sum()
    low, high = ((n - 1) / 2).floor(), (n / 2).floor()
    middles = (pl.col("spread").filter(below > rank).first() for rank in (low, high))
    return pl.sum_horizontal(*middles) * _TICK / 2.0
