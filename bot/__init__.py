"""The Discord process: the client, its command tree, the ``discord`` handler and the notices."""
