"""What stands between nodes so that it can be broken, and is always healed."""
