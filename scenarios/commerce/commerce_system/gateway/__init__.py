"""The gateway: REST for clients on one side, gRPC to the services on the other."""
