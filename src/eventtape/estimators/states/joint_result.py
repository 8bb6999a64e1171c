"""What the joint fit answers: the gap between the states, its interval, and the states."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from eventtape.arrays import FloatArray
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.states.identification import Verdict

__all__ = ["JointFit", "NoiseFound", "Profile"]


class Profile(NamedTuple):
    """The likelihood of the gap: ``deltas`` ``(n,)``, twice the fall of its log below the best.

    ``critical`` ``(n,)`` is what that fall must stay under for a gap to be in the interval.
    """

    deltas: FloatArray
    falls: FloatArray
    critical: FloatArray

    @property
    def best(self) -> float:
        """The gap that fits best."""
        return float(self.deltas[int(np.argmin(self.falls))])

    @property
    def interval(self) -> tuple[float, float]:
        """The least and the largest gap whose fall stays under the critical one."""
        inside = self.deltas[self.falls <= self.critical]
        return float(inside[0]), float(inside[-1])

    @property
    def zero_fall(self) -> float:
        """The fall at no gap."""
        return float(np.interp(0.0, self.deltas, self.falls))

    def sd(self, level: float) -> float:
        """Half the interval at this level in sds: several peaks make the curvature too kind."""
        low, high = self.interval
        return 0.5 * (high - low) / math.sqrt(float(chi2.ppf(level, 1)))


class NoiseFound(NamedTuple):
    """Variance of quotes over that of the errors given; part that lasts; for how many seconds."""

    scale: float
    lasting_share: float
    memory_s: float


class JointFit(NamedTuple):
    """The gap delta = log(m1 / m0) and the states, from many times together.

    - ``delta``, ``lower``, ``upper``: mean over the times; NaN where the verdict refuses.
    - ``interval``: the same two ends of the profile's interval, given even where it refuses.
    - ``zero_fall``, ``zero_p_value``: twice the fall of the log likelihood at delta = 0, and its
      p-value, by bootstrap where draws were asked for.
    - ``log_vol_ratio``, ``skewness``, ``excess_kurtosis``, ``wedge`` (probits that the pricing
      probability stands above the quoted one) and their errors.
    - ``delta_path``, ``delta_path_error``, ``probability``, ``vol_1``, ``vol_0`` (per sqrt(year)),
      ``mean_1``, ``mean_0`` (price units), their errors, ``(n_times,)``.
    - ``covariance`` ``(4, 4)`` of delta, log vol ratio, skewness, excess kurtosis.
    - ``local_covariance`` ``(n_times, 6, 6)``: of delta_t, log vol ratio, skewness, excess
      kurtosis, log vol and the probit of the pricing probability, at each time.
    - ``skewness_turn``: how far the skewness of the log price turns, by this fit, as p goes from
      its least to its most. The gap rests on it: what else turns the skewness so reads as a gap.
    - ``laws``: the fitted law at each time used, its states' weights, means and vols.
    """

    delta: float
    lower: float
    upper: float
    interval: tuple[float, float]
    zero_fall: float
    zero_p_value: float
    log_vol_ratio: float
    log_vol_ratio_error: float
    skewness: float
    skewness_error: float
    excess_kurtosis: float
    excess_kurtosis_error: float
    wedge: float
    wedge_error: float
    delta_path: FloatArray
    delta_path_error: FloatArray
    probability: FloatArray
    probability_error: FloatArray
    vol_1: FloatArray
    vol_0: FloatArray
    vol_error: FloatArray  # of the log of either
    mean_1: FloatArray
    mean_1_error: FloatArray
    mean_0: FloatArray
    mean_0_error: FloatArray
    covariance: FloatArray
    local_covariance: FloatArray
    laws: tuple[GramCharlierStates, ...]
    spot_sd: float  # of other news in the forward, log return per sqrt(year)
    misfit: float  # root mean square of the quotes' misses over their errors as found
    quotes_used: int
    noise: NoiseFound
    profile: Profile
    verdict: Verdict
    skewness_turn: float = math.nan
