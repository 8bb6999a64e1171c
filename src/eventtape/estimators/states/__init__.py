"""What is the market worth under each outcome of an event, and how is that known?

A ladder: each rung assumes more and answers more, and carries a verdict (identification).

=============================  ===================================================================
nothing assumed                bounds (bounds_kernel, _nodes, _tables, _variance, _interval,
                               _payoffs, _envelope, _frames, _polynomials)
other news apart from p        exposure per strike (slope_fit, serial_law, exposure_inputs,
                               exposure_placebo); conditional_calls, convex_repair; outcome_gap,
                               distributed_lag and overlapping for one price on a fine grid
one shape, one gap in time     joint_fit (option_panel; joint_problem, joint_kernel, joint_noise,
                               joint_search, joint_profile, joint_checks, joint_answer,
                               joint_result, joint_means)
lognormal states, one time     two_lognormal (two_lognormal_curve, _kernel, _solutions)
what to do with it             event_hedge (portfolio_gap, event_contracts, delta_one);
                               inventory (event_value): quotes of a maker
=============================  ===================================================================
"""
