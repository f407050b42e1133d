"""How this instance differs from a quiet one: everything that can be switched while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPolicy:
    """Fields that must be filled; ``when`` (an encoded query) restricts it to records it matches."""

    table: str
    fields: tuple[str, ...]
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessRule:
    """Aborts inserts and updates of records that match ``when``."""

    table: str
    name: str
    when: str = ""
    sys_id: str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Defaults are a healthy instance without limits. ``None`` and zero switch a thing off.

    Availability
        ``hibernating``: every path answers 200 with the hibernation page; ``login_redirect``: 302 to the login page.
    Access
        ``hidden_rows`` table to encoded query: rows nobody but an administrator may read, counted all the same.
        ``hidden_fields`` table to fields left out of answers; a query naming one is refused.
        ``strict_query_tables``: an unknown field in a query is refused with 403 there instead of dropped.
        ``protected_tables``: nobody may insert. ``data_policies``, ``business_rules``: refusals by content.
        ``table_reading`` table to ``all``, ``empty`` (200, no rows) or ``refused`` (403) for everybody but
        administrators, in place of the shipped rule. ``closed_apis`` refuse them, by name (``CMDB Meta API``).
    Authentication
        ``oauth_scopes`` client id to ``METHOD /api/...`` prefixes it may call; a client not named may call all.
        ``access_token_seconds``, ``refresh_token_seconds``, ``session_seconds``.
    Limits
        ``concurrency`` requests run at once and ``queue_length`` more wait, beyond that a bare 429.
        ``session_queue``, ``session_patience_seconds``: per session; beyond that a request is dropped with 202.
        ``max_query_characters`` of a query string; ``row_budget`` rows before a list is cut off with an error inside.
        ``batch_seconds``, ``batch_items`` of one batch; ``batch_times_out_running``: the item running when the time
        is up is done, and reported as failed.
    Time
        ``request_seconds`` each request takes, ``ire_item_seconds`` more for each item of an IRE payload.
        ``display_offset_hours`` of the users' time zone from UTC.
    Identification
        ``ire``: see :class:`IreOptions`.
    """

    hibernating: bool = False
    login_redirect: bool = False
    hidden_rows: Mapping[str, str] = field(default_factory=dict)
    hidden_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    strict_query_tables: frozenset[str] = frozenset()
    protected_tables: frozenset[str] = frozenset()
    data_policies: tuple[DataPolicy, ...] = ()
    business_rules: tuple[BusinessRule, ...] = ()
    table_reading: Mapping[str, str] = field(default_factory=dict)
    closed_apis: frozenset[str] = frozenset()
    oauth_scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    access_token_seconds: int = 1800
    refresh_token_seconds: int = 8_640_000
    session_seconds: int = 300
    concurrency: int | None = None
    queue_length: int = 50
    session_queue: int = 10
    session_patience_seconds: float = 120.0
    max_query_characters: int = 10_000
    row_budget: int | None = None
    batch_seconds: float = 30.0
    batch_items: int | None = None
    batch_times_out_running: bool = False
    request_seconds: float = 0.0
    ire_item_seconds: float = 0.0
    display_offset_hours: int = -8
    instance_url: str = ""
    ire: IreOptions = field(default_factory=IreOptions)
