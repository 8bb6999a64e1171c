"""What is a position of options worth, what does it cost, and what can happen to it?

=============================  ===================================================================
question                       file (made of)
=============================  ===================================================================
the position                   legs
value, Greeks, P&L anywhere    value (points, leg_marks)
which strike, how many         strikes, ratios
what expiry pays               settlement
what trading and holding cost  fees, margin: schedules with dates
every spot by every vol        scenarios (scenario_kernel)
risks as numbers               risks (margin_risk, move_law, pnl_law)
stops and hedges on paths      paths (path_kernel)
=============================  ===================================================================
"""
