"""The auth service: passwords, tokens and who may do what, in a database of its own."""
