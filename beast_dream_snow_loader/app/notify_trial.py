"""The use case behind ``snowload notify test``: one message to each channel, at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import ground
from beast_dream_snow_loader.app.notify_channels import Channels, Delivery
from beast_dream_snow_loader.app.notify_message import trial_message
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of, severest
from beast_dream_snow_loader.core.notices import PING
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import BadArgument, ConfigurationError, SnowloadError

_COMMAND = "notify"


def try_channels(place: Place, channel: str | None) -> Result:
    """Never raises a SnowloadError. Ends with the severest of what kept a channel from taking its message."""
    try:
        with ground(place) as here:
            mine = here.settings.notify
            named = (*mine.channels, *((PING,) if mine.ping_url is not None else ()))
            if not named:
                raise ConfigurationError(
                    "No channel is set in [notify].",
                    next_step="Set notify.webhook_url, notify.smtp_host, notify.apprise_url or notify.ping_url, then "
                    "run: snowload config check",
                )
            if channel is not None and channel not in named:
                raise BadArgument(f"There is no channel {channel!r}.", next_step=f"There are: {', '.join(named)}.")
            channels = Channels(settings=mine, credentials=here.credentials, clock=here.clock, listener=ignore)
            asked = [one for one in named if channel in (None, one)]
            message = trial_message(here, secrets.token_hex(16))
            deliveries = channels.send([(one, message) for one in asked if one != PING])
            if PING in asked:
                deliveries.append(channels.ping("", (), "a test"))
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")
    return Result(
        command=_COMMAND,
        status=_status(deliveries).value,
        exit_code=severest(map(_code, deliveries)),
        environment=here.environment,
        generated_at=rfc3339(here.clock.now()),
        body={"action": "test", "channels": [one.document() for one in deliveries]},
    )


def _code(one: Delivery) -> ExitCode:
    if one.error is not None:
        return exit_code_of(one.error)
    return ExitCode.PARTIAL if one.remark is not None else ExitCode.OK


def _status(deliveries: Sequence[Delivery]) -> RunStatus:
    if all(one.error is not None for one in deliveries):
        return RunStatus.FAILED
    return RunStatus.PARTIAL if any(map(_code, deliveries)) else RunStatus.OK
