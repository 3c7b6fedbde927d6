"""The kit: what authors of handlers write, test and start."""
