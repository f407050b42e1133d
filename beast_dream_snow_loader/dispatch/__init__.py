"""How work is spread: threads here, other machines later."""
