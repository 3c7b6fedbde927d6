"""How the commands that ask a running core are declared; what they do is imported when they are called."""
