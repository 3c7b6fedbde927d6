"""When: text into triggers, triggers into rules, rules into due times. Pure computing: no I/O, no scheduler."""
