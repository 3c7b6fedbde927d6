"""Promises of core/timing: what words mean, when rules are due, what clock changes do."""
