"""What a collector is verified against, and how: the catalogue, the suites and the verdict."""
