"""The users service: who the users are, in a database of its own."""
