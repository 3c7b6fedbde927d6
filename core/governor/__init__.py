"""Whether now: scopes, rates, entitlements, the fair queue and their explanations. Pure; time is always passed in."""
