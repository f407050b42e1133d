"""``snowload doctor``: is everything set up right."""
