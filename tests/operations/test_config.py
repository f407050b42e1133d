"""Operational defaults by environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.config import ConfigurationManager, Environment


@pytest.mark.parametrize(
    ("environment", "level", "attempts"),
    [("development", "DEBUG", 2), ("testing", "WARNING", 1), ("staging", "INFO", 3), ("production", "INFO", 5)],
)
def test_each_environment_has_its_own_defaults(environment: str, level: str, attempts: int) -> None:
    """R7."""
    config = ConfigurationManager.load_configuration(environment=environment, environ={})
    assert (config.logging.level, config.retry.max_attempts) == (level, attempts)
    assert (config.health_check_interval_seconds, config.circuit_breaker.failure_threshold) == (300, 5)


def test_the_one_named_wins_over_the_variable_and_neither_is_a_clear_failure() -> None:
    environ = {"BEAST_ENVIRONMENT": "testing"}
    assert ConfigurationManager.resolve_environment("staging", environ) is Environment.STAGING
    assert ConfigurationManager.resolve_environment(None, environ) is Environment.TESTING
    with pytest.raises(ConfigurationError, match="BEAST_ENVIRONMENT"):
        ConfigurationManager.resolve_environment(None, {})
    with pytest.raises(ConfigurationError, match="production"):
        ConfigurationManager.resolve_environment("prod", {})
    with pytest.raises(ConfigurationError):
        ConfigurationManager.resolve_environment("unknown", {})


def test_a_file_overrides_leaf_by_leaf_and_may_hold_other_sections(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[retry]\nmax_attempts = 7\n[servicenow]\ninstance = "dev1"\n')
    config = ConfigurationManager.load_configuration(file, "production", {})
    assert (config.retry.max_attempts, config.retry.base_delay_seconds, config.logging.level) == (7, 1.0, "INFO")


def test_a_file_with_mistakes_names_them_all(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[retry]\nmax_attempts = 0\ntypo = 1\n[logging]\nlevel = "LOUD"\n')
    with pytest.raises(ConfigurationError) as error:
        ConfigurationManager.load_configuration(file, "testing", {})
    assert {problem.partition(":")[0] for problem in error.value.problems} == {
        "retry.max_attempts",
        "retry.typo",
        "logging.level",
    }
    with pytest.raises(ConfigurationError, match="does not exist"):
        ConfigurationManager.load_configuration(tmp_path / "none.toml", "testing", {})


def test_the_audit_trail_cannot_be_switched_off(tmp_path: Path) -> None:
    """R5.2: a change that is not in it is not made."""
    file = tmp_path / "mine.toml"
    file.write_text("audit_trail_enabled = false\n")
    with pytest.raises(ConfigurationError) as error:
        ConfigurationManager.load_configuration(file, "testing", {})
    assert "cannot be switched off" in error.value.problems[0]
