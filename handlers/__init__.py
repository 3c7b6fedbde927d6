"""Built-in handlers, written with the public kit."""
