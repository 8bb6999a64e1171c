"""What moves with what: factor returns, rolling betas, replication, and a forward classifier."""
