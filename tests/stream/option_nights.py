"""Simulated option nights as batches of two feeds: quotes of chains and the event's probability."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.simulate.states_frame import states_frame
from eventtape.simulate.two_states import DAY
from eventtape.stream.density import DensityFold
from eventtape.stream.fold import Node, program
from eventtape.stream.order import Merged
from eventtape.stream.states import StatesFold
from eventtape.tape.batch import HISTORY, Batch

STEP = 600 * SECOND
SPAN = DAY._replace(step_days=600 / 86_400)  # the first snapshot is at a noon: on the grid


def night(seed, *, snapshots=40, n_strikes=20, p=None, **options):
    """Option quotes, the probability's rows and what was made: one chain, 10 minutes a snapshot.

    ``p`` holds the quoted probability at one value, whatever the states do.
    """
    span = SPAN._replace(n_times=snapshots)
    made = states_frame(seed, span=span, n_strikes=n_strikes, **options)
    prob = made.probability.select(
        pl.lit("YES").alias("symbol"),
        "ts",
        "probability" if p is None else pl.lit(p).alias("probability"),
        pl.lit(None, pl.Float64).alias("bid"),
        pl.lit(None, pl.Float64).alias("ask"),
        pl.lit(None, pl.Float64).alias("size"),
    )
    return made.frame, prob, made.made


def batches(feeds):
    """A batch a feed and stamp, in time; ``feeds`` are frames by name."""
    out = []
    for feed, frame in feeds.items():
        record = "probability" if "probability" in frame.columns else "option quote"
        parts = frame.partition_by("ts", maintain_order=True)
        out += [Batch(feed, record, part, np.arange(part.height), HISTORY) for part in parts]
    return sorted(out, key=lambda batch: stamp(batch.rows))


def stamp(frame):
    return frame["ts"].to_physical()[0]


def nodes(density=None, states=None, *, feeds=("opt", "prob"), lateness_ns=0):
    """The graph: one clock, densities, and the states if asked for."""
    density = density or DensityFold(("opt",), every_ns=STEP)
    chain = [
        Node("merged", feeds, Merged(lateness_ns=lateness_ns), feeds=True),
        Node("density", ("merged",), density),
    ]
    if states is not None:
        chain.append(Node("states", ("merged", "density"), states))
    return program(chain)


def states_fold(**options):
    options = {"snapshot_ns": STEP, "joint_rows": 40, "joint_every": 1, **options}
    return StatesFold("prob", **options)


def shifted(frame, *, underlying=None, days=0.0, ns=0):
    """The same quotes under another underlying, expiring later, stamped later."""
    name = frame["underlying"][0] if underlying is None else underlying
    later = round(days * 86_400) * SECOND
    return frame.with_columns(
        pl.lit(name).alias("underlying"),
        (pl.lit(f"{name} {later} ") + pl.col("symbol")).alias("symbol"),
        pl.col("expiry") + pl.duration(nanoseconds=later),
        pl.col("ts") + pl.duration(nanoseconds=ns),
    )


def equal(a, b):
    """Equal to the last bit, NaN to NaN."""
    return np.array_equal(np.asarray(a, float), np.asarray(b, float), equal_nan=True)


def is_nan(*values):
    return all(math.isnan(x) for x in values)
