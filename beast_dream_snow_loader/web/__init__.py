"""Doors for browsers and monitors."""
