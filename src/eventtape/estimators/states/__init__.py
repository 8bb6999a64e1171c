"""What each outcome is worth: exposure of prices to the probability."""
