"""A shop of three services: a REST gateway, users and orders, which call each other by gRPC.

It is a sample to copy from and a system for the harness to test. `gateway`, `users` and
`orders` are the services, `shared` is what they have in common, `wire` is generated.
"""
