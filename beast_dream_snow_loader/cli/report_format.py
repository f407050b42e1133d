"""The forms in which a report is printed and kept."""

from __future__ import annotations

from enum import StrEnum


class ReportFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"
    HTML = "html"


WHOLE = (ReportFormat.JSON, ReportFormat.CSV)
"""Those with every run; the others show the newest."""
