"""What the services have in common: calling each other, serving, databases, logs, settings."""
