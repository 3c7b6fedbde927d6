"""Configuration, YAML and logs."""
