"""Ordinary gRPC servers behind a collector: their services become handlers of a namespace."""
