"""What a use case returns: one value, from which the command line makes text or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.exit_codes import ExitCode, way_on
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.redaction import masked_values

if TYPE_CHECKING:
    from beast_dream_snow_loader.app.ground import Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``body`` is the command's part of the JSON document; ``status`` its word for how it went.

    ``error`` is what stopped the command, if anything did: then ``body`` may be incomplete.
    """

    command: str
    status: str
    exit_code: int = ExitCode.OK
    environment: str = ""
    run_id: str = ""
    generated_at: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    error: SnowloadError | None = None


def done(command: str, here: Ground, body: Mapping[str, Any]) -> Result:
    """What went well."""
    at = rfc3339(here.clock.now())
    return Result(command=command, status="ok", environment=here.environment, generated_at=at, body=body)


def carried_out(command: str, action: str, body: Mapping[str, Any], *, environment: str, at: str) -> Result:
    """What an order of a person to ``command`` came to: ``at`` RFC 3339."""
    told = {"action": action, **body}
    return Result(command=command, status="ok", environment=environment, generated_at=at, body=told)


def document(result: Result) -> dict[str, Any]:
    """The JSON document of a result: the envelope every command shares, then its own part, without secrets."""
    envelope: dict[str, Any] = {
        "schema": f"snowload.{result.command}/1",
        "snowload_version": __version__,
        "run_id": result.run_id or None,
        "environment": result.environment or None,
        "generated_at": result.generated_at,
        "status": result.status,
        "exit_code": int(result.exit_code),
    }
    if result.error is not None:
        envelope["error"] = masked_values(described(result.error))
    return envelope | dict(masked_values(result.body))


def described(error: SnowloadError) -> dict[str, Any]:
    problems = list(getattr(error, "problems", ()))
    return {"code": error.code, "message": error.message, "next_step": way_on(error), "problems": problems}
