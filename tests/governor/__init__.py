"""Whether now: the promises of ``core.governor``."""
