"""The revisions, oldest first; `core.ledger.schema.REVISIONS` lists them."""
