"""A database for the stories that are told to the real ledger."""

from __future__ import annotations

from tests.state.conftest import file, url

__all__ = ["file", "url"]
