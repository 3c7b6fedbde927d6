"""English words about time, read token by token; whatever is left unread refuses the whole text."""
