"""Settings that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.app.config import load_settings
from beast_dream_snow_loader.errors import ConfigurationError


def test_a_setting_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[servicenow]\nadmin = "yes"\n')
    with pytest.raises(ConfigurationError) as error:
        load_settings(environment="testing", config_file=file)
    assert "servicenow.admin" in error.value.problems[0]
