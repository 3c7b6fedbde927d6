"""How requests, orders and events travel: the bytes, the sockets, and the clients over ZeroMQ and HTTP."""
