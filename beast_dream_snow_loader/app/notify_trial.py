"""The use case behind ``snowload notify test``: one message to each channel, at once."""

from __future__ import annotations

import secrets

from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import ground
from beast_dream_snow_loader.app.notify_channels import Channels, Delivery
from beast_dream_snow_loader.app.notify_message import trial_message
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import BadArgument, ConfigurationError, SnowloadError

_COMMAND = "notify"
PING = "ping"


def try_channels(place: Place, channel: str | None) -> Result:
    """Never raises a SnowloadError. Partial when a channel did not take its message."""
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
                deliveries.append(Delivery(channel=PING, error=channels.ping("", (), "a test")))
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")
    bad = any(one.error is not None for one in deliveries)
    return Result(
        command=_COMMAND,
        status=(RunStatus.PARTIAL if bad else RunStatus.OK).value,
        exit_code=ExitCode.PARTIAL if bad else ExitCode.OK,
        environment=here.environment,
        generated_at=rfc3339(here.clock.now()),
        body={"action": "test", "channels": [one.document() for one in deliveries]},
    )
