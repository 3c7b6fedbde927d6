"""Cores and handler processes, as the tests of the kit have them."""

from tests.kit.conftest import clock, logged, open_core, start

__all__ = ["clock", "logged", "open_core", "start"]
