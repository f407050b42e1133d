"""What the three APIs answer, parsed by allow-list: what is not named here travels no further."""
