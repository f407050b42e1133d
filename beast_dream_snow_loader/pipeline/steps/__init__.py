"""One module per step of a load."""
