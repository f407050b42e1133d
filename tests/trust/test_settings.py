"""Settings that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.app.config import load_settings
from beast_dream_snow_loader.errors import ConfigurationError

LONG = "x" * 300


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("/proc/self/mem", "/proc/self/mem cannot be read: Input/output error."),  # it fails whoever reads it
        ("~nobody-of-that-name/ca.pem", "names the file ~nobody-of-that-name/ca.pem, which does not exist"),
        (LONG, f"names the file {LONG}, which does not exist"),
    ],
)
def test_a_file_of_authorities_that_cannot_be_read_is_a_matter_of_configuration(
    tmp_path: Path, named: str, told: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'[unifi]\nverify_tls = "{named}"\n')
    with pytest.raises(ConfigurationError) as error:
        load_settings(environment="testing", config_file=file)
    assert told in error.value.problems[0]


def test_a_setting_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[servicenow]\nadmin = "yes"\n')
    with pytest.raises(ConfigurationError) as error:
        load_settings(environment="testing", config_file=file)
    assert "servicenow.admin" in error.value.problems[0]
