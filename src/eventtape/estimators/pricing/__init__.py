"""What an option is worth: prices, their derivatives, and the volatility a price implies."""
