"""The standalone service."""
