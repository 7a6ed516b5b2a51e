"""The user service: what people tell of themselves, by REST and by gRPC."""
