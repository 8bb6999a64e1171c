"""What the market thinks a price will be: quotes, their noise, smile, density and its checks.

=============================  ===================================================================
question                       file (made of)
=============================  ===================================================================
the density of one chain       fit (smile_fit: smile_observations, smile_columns, smile_evidence)
from a smile to a law          breeden_litzenberger
kept current quote by quote    stream (stream_kernel)
what is a quote worth          quote_noise
the same smile, dense          gp_smile (smile_kernel), gp_updates: exact updates of it
what is read off a density     density_quantities, characteristic
is it free of arbitrage        no_arbitrage, raw_arbitrage for quotes; repair, a step of its own
other models, to check         two_lognormal, kou_fit, svi, svi_fit (price_fit)
=============================  ===================================================================
"""
