"""A small collector on grpclib: HTTP/2 in pure Python, without grpcio."""
