"""The ProcessGovernor, with real processes: small ones that do as they are told, and the service itself."""
