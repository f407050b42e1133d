"""The result of a command that an error stopped before it could report anything."""

from __future__ import annotations

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.signals import Stop
from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.core.exit_codes import ExitCode, code_of_failure, exit_code_of
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import SnowloadError, Stopped


def failed(
    command: str, error: SnowloadError, *, environment: str = "", run_id: str = "", stop: Stop | None = None
) -> Result:
    """The result of a command that an error stopped before it could report anything. ``stop``: by which signal it was
    asked to end."""
    signalled = stop.exit_code if stop is not None and isinstance(error, Stopped) else None
    code = signalled or exit_code_of(error)
    return Result(
        command=command,
        status=status_word(code),
        exit_code=code,
        environment=environment,
        run_id=run_id,
        generated_at=rfc3339(SystemClock().now()),
        error=error,
    )


def result_of(command: str, why: BaseException | None, *, environment: str = "", run_id: str = "") -> Result:
    """The result of a command that ended by an exception which is none of ours: a signal, or a defect."""
    code = _code_of(command, why)
    stopped = code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    told = "It was ended by a signal." if stopped else f"This is a defect of snowload: {type(why).__name__}."
    step = f"Run it again: snowload {command}" if stopped else f"Run it again with -vv: snowload {command} -vv"
    return Result(
        command=command,
        status=(RunStatus.INTERRUPTED if stopped else RunStatus.FAILED).value,
        exit_code=code,
        environment=environment,
        run_id=run_id,
        error=SnowloadError(told, next_step=step),
    )


def _code_of(command: str, why: BaseException | None) -> int:
    """The process ends with the same."""
    if isinstance(why, SystemExit) and isinstance(why.code, int):
        return why.code
    if isinstance(why, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return code_of_failure(command)


def status_word(code: ExitCode) -> str:
    """The word for how a command ended that an error stopped."""
    return {
        ExitCode.REFUSED: RunStatus.REFUSED,
        ExitCode.UNAVAILABLE: RunStatus.UNAVAILABLE,
        ExitCode.PARTIAL: RunStatus.PARTIAL,
        ExitCode.INTERRUPTED: RunStatus.INTERRUPTED,
        ExitCode.TERMINATED: RunStatus.INTERRUPTED,
    }.get(code, RunStatus.FAILED).value
