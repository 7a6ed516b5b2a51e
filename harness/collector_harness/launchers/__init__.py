"""How a node comes to be: in this process, as a process of its own, or already running."""
