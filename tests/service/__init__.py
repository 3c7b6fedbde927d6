"""The service: every request, judged and answered, on a real ledger."""
