"""Use cases by noun, behind one ``handle(actor, request)``."""
