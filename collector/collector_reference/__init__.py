"""The reference collector: a gRPC server that registers services and routes calls by namespace."""
