"""Collectors that the harness plays itself, honest or not, recording what reaches them."""
