"""A small Discord for tests: REST and gateway over real sockets, outliving the bots that come and go.

In one process with the test, for everything but kills:

    async with DiscordServer(Settings(nonce_seconds=60)) as server:      # app.py, state.py
        # bot with DISCORD_API_BASE=server.api_url and the token server.settings.token
        await server.invoke("remind me", {"when": "in 10 seconds", "text": "tea"})
        await server.wait_messages(1, channel_id=world.GENERAL, contains="tea")

As a process of its own, `python -m tests.discord_server --port 0 --state FILE --nonce-seconds S`, which prints its
address as one JSON line; `DiscordProcess` (process.py) starts it and offers the same methods, which stand in
director.py, over the endpoints of control.py. Ids of people and places stand in world.py.
"""
