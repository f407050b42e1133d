"""What to do next, always with a command in it."""

from __future__ import annotations


def with_command(next_step: str, command: str = "snowload health") -> str:
    """The step with a command in it: what is mended is looked at once more."""
    if "snowload " in next_step:
        return next_step
    if not next_step:
        return f"See more with: {command}"
    return f"{next_step} Then run: {command}" if next_step.endswith(".") else f"{next_step}; then run: {command}"
