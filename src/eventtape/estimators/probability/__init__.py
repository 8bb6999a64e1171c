"""What is the probability of the event, how does it move, and is it a fair price?

=============================  ===================================================================
the quotes of one contract     vig, local_level (linear), probit_filter (probit_kernel,
                               probit_quotes, probit_particles): the proper one
several venues                 venues (venues_kernel)
the model                      probit_martingale, clocks; jump_compensator
its clock, from quotes         clock_fit (clock_shapes, log_curvature); clock_nonparametric and
                               jump_detection (block_moves)
is it a martingale             martingale_tests (martingale_draws)
=============================  ===================================================================
"""
