"""``/admin``: how the whole service is, and what is done to it, for those who run it; one file per kind of thing."""
