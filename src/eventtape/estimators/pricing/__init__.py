"""What an option is worth: prices, their derivatives, and the volatility a price implies.

=============================  ===================================================================
question                       file (made of)
=============================  ===================================================================
what is the forward            forward (forward_kernel, forward_line); forward_bounds: who breaks it
European price and Greeks      black; implied_vol (normal, given_options)
American, no dividend in cash  american (early_exercise; exercise_boundary, its start and nodes);
                               american_implied_vol; deamericanise
American with cash dividends   binomial (binomial_sweep, muroi_suda; tree_nodes, tree_lattices,
                               tree_options, tree_prices); binomial_implied_vol
laws with known truth          terminal_law: lognormal_mixture, kou, heston (fourier)
the fate of each number        status
=============================  ===================================================================
"""
