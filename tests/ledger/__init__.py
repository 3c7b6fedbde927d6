"""The ledger's promises, held by every store alike."""
