"""Requests in parts, one for each noun; ``schedule_zero.requests`` puts them together."""
