"""Migrations of the schema: what turns an older database into ``core.ledger.tables``."""
