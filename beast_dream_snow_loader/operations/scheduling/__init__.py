"""Ready-made units for whatever starts snowload on time."""
