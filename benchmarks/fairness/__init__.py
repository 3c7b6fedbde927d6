"""An hour of many guilds in virtual time, under four ways to share slots out: waits, Jain's index, utilisation."""
