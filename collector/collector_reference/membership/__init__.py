"""Membership: how the collectors of a fleet find each other. Off unless it is asked for."""
