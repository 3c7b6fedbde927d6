"""Exporting: what is kept of a guild, of a person or of all, as a file for somebody else's program, a part at a time."""
