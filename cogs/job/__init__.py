"""``/job``: work that other programs do for a guild, one file per kind of thing done with it."""
