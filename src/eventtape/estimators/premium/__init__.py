"""What is a dated event worth in option volatility?

=============================  ===================================================================
question                       file (made of)
=============================  ===================================================================
the volatilities to start from term_structure; day_weights for the clock they run on
the size of each kind of event event_premium (premium_fit, premium_base, premium_clock,
                               premium_kernel, premium_algebra, premium_mixture, premium_reasons)
which sizes can be known       ridges
plain recipes, to compare      named: the seed's table, trial and error, two expiries, flat base
the premium through time       premium_history (local_median)
does it move with the odds     odds_link (persistence), divergence
which far expiry to trade      spread_history, far_expiry
many markets side by side      premium_market
=============================  ===================================================================
"""
