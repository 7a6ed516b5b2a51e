"""What a mesh is before it runs."""
