"""Examples: handlers to read, to start and to copy. Each is a process of its own and needs nothing but the kit."""
