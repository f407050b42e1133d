"""UniFi: three APIs, one snapshot."""
