"""The result of a command that an error stopped before it could report anything."""

from __future__ import annotations

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import SnowloadError


def failed(command: str, error: SnowloadError, *, environment: str = "", run_id: str = "") -> Result:
    """The result of a command that an error stopped before it could report anything."""
    code = exit_code_of(error)
    return Result(
        command=command,
        status=status_word(code),
        exit_code=code,
        environment=environment,
        run_id=run_id,
        generated_at=rfc3339(SystemClock().now()),
        error=error,
    )


def status_word(code: ExitCode) -> str:
    """The word for how a command ended that an error stopped."""
    return {
        ExitCode.REFUSED: RunStatus.REFUSED,
        ExitCode.UNAVAILABLE: RunStatus.UNAVAILABLE,
        ExitCode.PARTIAL: RunStatus.PARTIAL,
    }.get(code, RunStatus.FAILED).value
