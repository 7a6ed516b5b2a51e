"""Security: who may call, what is presented to others, and how both are kept from a stranger.

Nothing here is imported by a collector whose settings ask for none of it, but for `values`.
"""
