"""Signing in to the pages: cookies, the way to Discord and back, and who a request comes from."""
