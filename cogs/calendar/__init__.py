"""``/calendar``: what a server keeps closed, one file per kind of thing."""
