"""Who calls: interceptors for authentication and authorization on both sides, and TLS."""
