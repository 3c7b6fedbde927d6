"""The store port in parts, one for each noun; ``core.ledger.port`` puts them together."""
