"""Fetch, transform, validate, plan, load, link, verify. Start reading at ``runner.py``."""
