"""What a collector tells of its calls while it runs: log lines, metrics and traces."""
