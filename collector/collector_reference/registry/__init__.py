"""The registry: what is stored, where, and the RPCs that write and read it."""
