"""Live densities on the hourly chains of Binance, October 2023: each is that of the study."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.clock import SECOND
from eventtape.sources import read_option_quotes
from eventtape.stream.density import DensityFold
from eventtape.stream.fold import Slice
from eventtape.studies import densities
from eventtape.tape.chains import chains

pytestmark = pytest.mark.real

HOUR = 3600 * SECOND


def test_each_hour_is_the_study_of_that_hour(data_folder):
    path = data_folder / "options" / "binance_btc_options_eoh_20231020_20231023.parquet"
    if not path.exists():
        pytest.skip(f"no {path.name} in the data folder")
    frame = read_option_quotes(path).frame
    stamps = frame["ts"].to_physical().to_numpy()
    first = int(stamps[0])
    some = frame.filter(pl.Series(stamps < first + 4 * HOUR))
    fold = DensityFold(("opt",), every_ns=HOUR, refit_ns=1, max_age_ns=HOUR)
    _, said = fold.step(fold.start(), Slice(first + 4 * HOUR, {"opt": some}))
    rows = said.frames["density"]
    times = rows["ts"].to_physical().unique().sort().to_list()
    assert len(times) >= 3
    found = 0
    for at in times:
        study = densities.run(chains(some, at=at, max_age_s=3600.0)).chains
        mine = rows.filter(pl.col("ts").to_physical() == at)
        for row, one in zip(mine.iter_rows(named=True), study, strict=False):
            assert row["status"].startswith(str(one.status))
            if one.found:
                found += 1
                assert np.array_equal(row["pdf"], one.density.pdf[::2])
                assert row["vol"] == one.atm_vol
    assert found > 20
