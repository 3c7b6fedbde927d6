"""``/settings``: what applies to a whole guild, one file per kind of thing that is set."""
