"""What do a stop, a hedge and closing early make of the profit, path by path?

Every rule runs on paths of the same seed and law; those that end at the same time run on the same
prices. Costs of trading along the way are charged, the fees of opening are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from eventtape.estimators.positions.legs import Legs, long_option
from eventtape.estimators.positions.move_law import MoveLaw
from eventtape.estimators.positions.paths import Rules, simulate_paths
from eventtape.estimators.positions.pnl_law import pnl_law, share
from eventtape.estimators.positions.points import DAY_NS
from eventtape.studies.trade_rows import RuleRow, Trade, TradeConfig

__all__ = ["CLOSED", "DELTA", "GAMMA", "HOLD", "STOP", "run_rules"]

HOLD, CLOSED, STOP = "hold", "close early", "stop"
DELTA, GAMMA = "delta hedge", "gamma hedge"
_HOUR_NS = DAY_NS // 24
_OF_DEPOSIT, _OF_PREMIUM = 0.1, 0.5  # the loss at which to stop, where none is named


class _Rule(NamedTuple):
    name: str
    words: str
    until_ns: int
    rules: Rules


def run_rules(
    trade: Trade,
    config: TradeConfig,
    law: MoveLaw,
    premium: float,
    eve_ns: int,
    deposit: float,
    tell: Callable[[str, int, int | None], Any],
) -> tuple[RuleRow, ...]:
    """A row a rule: hold, close the day before, stop, hedge delta, hedge gamma where sold."""
    near = int(trade.legs.expiry_ns.min())
    asked = _rules(trade, config, near, eve_ns, deposit)
    rows = []
    for done, rule in enumerate(asked):
        tell(f"rule {rule.name}", done, len(asked))
        walked = simulate_paths(
            trade.legs, law,
            forward=trade.spot, opened_ns=trade.at_ns, until_ns=rule.until_ns, rules=rule.rules,
            premium=premium, carry=trade.carry, paths=config.paths, steps=config.steps,
            seed=config.seed,
        )  # fmt: skip
        dollars = walked.dollars
        rows.append(
            RuleRow(
                rule.name,
                rule.words,
                rule.until_ns,
                pnl_law(walked.pnl, level=config.level),
                float(dollars.mean()),
                float(dollars.std(ddof=1) / np.sqrt(dollars.size)),
                float(walked.costs.mean()),
                share(walked.stopped, level=config.level),
                float(walked.hedges.mean()),
            )
        )
    return tuple(rows)


def _rules(
    trade: Trade, config: TradeConfig, near: int, eve_ns: int, deposit: float
) -> list[_Rule]:
    sold = bool((trade.legs.quantity < 0.0).any())
    part = _OF_DEPOSIT if sold else _OF_PREMIUM
    stop = part * deposit if config.stop is None else config.stop
    unit = "coins" if trade.legs.inverse else "dollars"
    hours = (near - trade.at_ns) / _HOUR_NS
    every = max(1, round(config.hedge_hours * config.steps / hours))
    close = Rules(option_cost=config.option_cost)
    hedge = Rules(
        hedge_every=every, hedge_band=config.hedge_band, hedge_cost=config.hedge_cost,
        option_cost=config.option_cost,
    )  # fmt: skip
    looks = f"every {every * hours / config.steps:.0f} hours beyond {config.hedge_band:g} units"
    asked = [
        _Rule(HOLD, "held to the near expiry, the rest closed there", near, close),
        _Rule(CLOSED, "closed before the near expiry", eve_ns, close),
        _Rule(
            STOP, f"closed at a loss of {stop:,.4g} {unit}", near, close._replace(stop_loss=stop)
        ),
        _Rule(DELTA, f"delta taken off with a future {looks}", near, hedge),
    ]
    if sold:
        gross = float(np.abs(trade.legs.quantity).sum())
        gamma = hedge._replace(gamma_with=_at_the_money(trade, near), gamma_most=gross)
        words = f"gamma with near options at the money, at most {gross:.3g}, then delta, {looks}"
        asked.append(_Rule(GAMMA, words, near, gamma))
    return asked


def _at_the_money(trade: Trade, near: int) -> Legs:
    first = trade.legs.expiry_ns == near
    vol = float(np.sqrt((trade.legs.vol[first] ** 2).mean()))
    return long_option(trade.spot, near, vol, inverse=trade.legs.inverse)
