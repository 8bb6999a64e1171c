"""The probability of the event: vig removal, the local-level filter and its regimes."""
