"""``/schedule``: a guild's own messages, one file per kind of thing done with them."""
