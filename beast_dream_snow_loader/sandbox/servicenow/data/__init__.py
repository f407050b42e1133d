"""The dictionary of the sandbox instance, as data."""
