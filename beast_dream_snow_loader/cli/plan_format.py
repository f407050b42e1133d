"""The forms in which a plan is printed."""

from __future__ import annotations

from enum import StrEnum


class PlanFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
