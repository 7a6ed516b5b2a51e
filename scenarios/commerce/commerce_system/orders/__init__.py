"""The orders service: what was ordered by whom, in a database of its own."""
