"""Checks of what only the Python API shows: for the reference and for `python:` targets.

Each module holds those of one family, and registers them by `checks.library_check`.
"""
