"""The engine: pure decisions first, then its parts on a real ledger."""
