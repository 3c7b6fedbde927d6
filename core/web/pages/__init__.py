"""Pages for people: made on the server, with nothing that runs in the browser."""
