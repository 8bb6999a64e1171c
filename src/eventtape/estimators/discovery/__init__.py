"""Who moves first: one file a question, and beside each the files it is made of.

=============================  ===================================================================
question                       file (made of)
=============================  ===================================================================
ticks: which series is late    lead_lag (lead_lag_kernel); cross_correlation on a grid
two prices, one trend          pairs (pair_rows, pair_kernel, pair_redraw, rank_law,
                               sign_law); rolling_pairs, resolution
the model under it             vecm (vecm_moments, moment_updates, johansen); relation_tests
shares on given parameters     information_share (share_orders)
a panel and named shocks       panel_speeds, group_speeds (factor_system, ratio_interval,
                               order_bounds)
a panel as a network           connectedness (block_jackknife), granger (var_moments);
                               panel_rank (airy_sums)
is a quote a fair game         martingale
what goes with leadership      panel_regression (panel_effects); lead_asymmetry, the score
why not                        refusals; many tests at once: false_discovery
=============================  ===================================================================
"""
