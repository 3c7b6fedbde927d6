"""The slash commands: defer, build a request, ask the client, render the view."""
