"""How we stay standing: mechanism and policy; no network, no SQL."""
