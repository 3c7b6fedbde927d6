"""ProcessGovernor: keeps core, bot and handlers alive from outside them. It imports nothing of what it keeps alive."""
