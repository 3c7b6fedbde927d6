"""Promises of the whole project, one folder or file per room."""
