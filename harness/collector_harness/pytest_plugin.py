"""The pytest plugin: hooks, options, the marker and the fixtures.

Importing it is light, because every pytest run of every project that has it
installed pays for it: gRPC, YAML and pydantic come when something first needs them.
"""
