"""A handler as a process of its own: it is found, connects to cores, runs what they give it, and leaves in order."""
