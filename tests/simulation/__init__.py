"""The deterministic simulation: one seed drives clock, faults and stops; a checker reads what is left."""
