"""Who moves first: lead and lag on asynchronous ticks."""
