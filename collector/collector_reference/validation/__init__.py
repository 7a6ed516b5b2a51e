"""Validation: who answers whether a method is registered, and what guards the port."""
