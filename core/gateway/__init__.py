"""The gateway: the only ZeroMQ in the core. A door: bytes into answers and requests, orders and views into bytes."""
