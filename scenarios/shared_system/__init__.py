"""What the sample systems have in common: calling services, serving, databases, errors, logs.

It knows none of the systems. Each of them finds it beside its own folder, or installed with it.
"""
