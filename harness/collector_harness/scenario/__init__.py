"""Scenarios: the language, and the engine that runs it over meshes."""
