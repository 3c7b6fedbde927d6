"""Faults with real processes: a core and its handlers are killed, frozen, cut from each other and lied to, under load.

``python -m tests.faults`` runs all of it with the numbers of a release, ``python -m tests.faults cut-30 --times 1`` one
scenario. Every scenario is judged by the same accounts: what was acknowledged (``asked``), what the handlers did by
their own journals (``effects``), what stands in the ledger (``left``) and what a follower was told (``follower``) have
to agree (``judge``).
"""
