"""What the checks are called that others ask for by name."""

from __future__ import annotations

CREDENTIALS, DATABASE, PAGES, CLASSES = "credentials", "database", "database.pages", "classes"


def certificate_of(end: str) -> str:
    return f"{end}.certificate"


def login_of(end: str) -> str:
    """Does it let us in?"""
    return f"{end}.authentication"


def rights_of(end: str) -> str:
    return f"{end}.rights"
