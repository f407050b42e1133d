"""The use case behind ``snowload explain``."""

from __future__ import annotations

from beast_dream_snow_loader.app.explain_document import explain_body
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import ground
from beast_dream_snow_loader.app.listening import Heard, listening
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import LoadOptions
from beast_dream_snow_loader.app.orders import order_of
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.run_ids import new_run_id
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.app.wiring import wire
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import NotAuthenticated, NotAuthorised, SnowloadError
from beast_dream_snow_loader.pipeline.explain import explain as explained_by

_COMMAND = "explain"
_SHUT = (NotAuthenticated, NotAuthorised)
"""An end that is away is worked around and told; a login that is refused is for somebody to mend."""


def explain(options: LoadOptions, text: str, listener: Listener) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result. Nothing is written to ServiceNow."""
    place, stop = options.place, Stop()
    try:
        with ground(place) as here, opened(here) as store, stop_on_signals(here.clock, stop):
            run_id = new_run_id(here.clock.now())
            with listening(here, run_id, listener, Heard(), place=place, command="explain") as told:
                wiring = wire(here, store, told, dry_run=True, stopping=stop)
                order = order_of(options, here, run_id)
                explained = explained_by(wiring.world, order, text)
                body = explain_body(explained, order.rules)
                shut = next((one for one in explained.troubles if isinstance(one, _SHUT)), None)
                return Result(
                    command=_COMMAND,
                    status=RunStatus.OK.value if shut is None else RunStatus.PARTIAL.value,
                    exit_code=ExitCode.OK if shut is None else exit_code_of(shut),
                    error=shut,
                    environment=here.environment,
                    run_id=run_id,
                    generated_at=rfc3339(here.clock.now()),
                    body={"asked": text, "target": here.target, **body, "requests": wiring.meter.counts()},
                )
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "", stop=stop)
