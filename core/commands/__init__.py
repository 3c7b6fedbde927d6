"""What the commands of ``schedule-zero`` do; ``core.cli`` declares them."""
