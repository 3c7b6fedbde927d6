"""The HTTP door, against a door that answers from memory."""
