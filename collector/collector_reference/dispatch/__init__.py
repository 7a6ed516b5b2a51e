"""The dispatcher: handlers, connections, where a call goes, and the RPCs."""
