"""The built-in handlers and the examples."""
