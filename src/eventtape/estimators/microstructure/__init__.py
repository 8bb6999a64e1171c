"""The microstructure of trades and quotes: who started a trade, features of a bucket, slippage."""
