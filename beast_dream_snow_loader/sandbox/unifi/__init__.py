"""UniFi's three APIs over one estate, or over recorded payloads."""
