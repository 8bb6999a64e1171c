"""What the market thinks a price will be: quotes, their noise, smile, density and its checks."""
