"""What was going on when the process ended, and what then puts it right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.crash.checker import Place
from tests.crash.harness import Arm, Ended, Forge

Command = tuple[str, ...]
LOAD: Command = ("load", "--env", "testing", "--json")
REPLAY: Command = ("replay-queue", "--env", "testing", "--json")
HELD_BACK = {"SNOWLOAD_SERVICENOW__MODE": "read-only"}
_AT_ONCE = {"SNOWLOAD_RETIRE__ENABLED": "true", "SNOWLOAD_RETIRE__GRACE": "0s", "SNOWLOAD_RETIRE__MISSING_READS": "1"}


@dataclass(slots=True, kw_only=True)
class Stage:
    """A CMDB, an estate, a state, and the command in front of them."""

    forge: Forge
    place: Place
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, arm: Arm | None = None, **variables: str) -> Ended:
        environment = {**self.place.sandbox.environment(), **self.variables, **variables}
        return self.forge.run(*arguments, environment=environment, arm=arm)

    def prepare(self, *arguments: str, code: int = 0, **variables: str) -> Ended:
        """A command that has to go well for the story to begin."""
        ended = self.run(*arguments, **variables)
        assert ended.code == code, (arguments, ended.code, ended.err[-2000:] or ended.out[-2000:])
        return ended


def _nothing(_stage: Stage) -> None:
    return


def _nobody(_stage: Stage) -> Mapping[str, Mapping[str, str]]:
    return {}


def _load(_stage: Stage) -> Command:
    return LOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``command`` is ended at some call, ``again`` is what people then type; None: there is nothing to be done.

    ``meanwhile`` something happens; CIs that other people make then are its answer. ``whole``: the CMDB then holds what
    UniFi shows; ``same``: and field by field what it would without the crash. ``quiet`` run once more writes nothing.
    """

    name: str
    before: Callable[[Stage], None] = _nothing
    command: Callable[[Stage], Command] = _load
    meanwhile: Callable[[Stage], Mapping[str, Mapping[str, str]]] = _nobody
    again: Callable[[Stage], Command | None] = _load
    quiet: Callable[[Stage], Command | None] = _load
    whole: bool = True
    same: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)


def _switches(estate: Estate) -> Sequence[EstateDevice]:
    adopted = [d for console in estate.consoles() for d in estate.devices(console.host_id) if d.adopted]
    return [device for device in adopted if device.uplink and device.name and not device.is_console]


def _change(stage: Stage) -> None:
    """A first load; then devices have other names, one hangs elsewhere in a second read, one is new, one gone."""
    estate = stage.place.estate
    stage.prepare(*LOAD)
    first, second, third, fourth, *_ = _switches(estate)
    roots = {device.uplink for device in (first, second, third, fourth)}
    leaves = [device for device in (first, second, third, fourth) if device.mac not in roots]
    moving = leaves[0]
    elsewhere = next(d.mac for d in _switches(estate) if d.mac not in (moving.mac, moving.uplink, leaves[-1].mac))
    estate.change_uplink(moving.mac, elsewhere)
    stage.prepare(*LOAD)
    for number, device in enumerate((first, second, third)):
        estate.rename_device(device.mac, f"renamed-{number}")
    estate.remove_device(leaves[-1].mac)
    estate.add_device(site=first.site, model=first.model_code, name="added", uplink=first.uplink)


def _hold_back(stage: Stage) -> None:
    stage.prepare(*LOAD, code=8, **HELD_BACK)


def _replay(_stage: Stage) -> Command:
    return REPLAY


def close_engine(stage: Stage) -> None:
    body = '{"error":{"message":"User Not Authorized","detail":"Failed API level ACL Validation"},"status":"failure"}'
    engine = Fault(effect=Effect.STATUS, status=403, path="/api/now/identifyreconcile/*", body=body)
    stage.place.sandbox.servicenow.faults.add(engine)


def _rollback(stage: Stage) -> Command | None:
    """Of the newest load that is known of. None: the process ended before it had said that it runs."""
    found = stage.forge.state.rows("SELECT id FROM runs WHERE command = 'load' ORDER BY started_at DESC LIMIT 1")
    return ("rollback", found[0][0], "--env", "testing", "--created", "delete", "--json") if found else None


def _required_rollback(stage: Stage) -> Command:
    command = _rollback(stage)
    assert command is not None
    return command


def _load_before(stage: Stage) -> None:
    stage.prepare(*LOAD)


def _namesakes(stage: Stage) -> Mapping[str, Mapping[str, str]]:
    """For every device a CI that somebody has just called the same."""
    instance = stage.place.app.instance
    with instance.acting_as("admin"):
        made = [
            instance.insert("cmdb_ci_netgear", {"name": device.name, "serial_number": f"OTHER-{device.mac[-6:]}"})
            for device in _switches(stage.place.estate)
        ]
    return {row["sys_id"]: dict(row) for row in made}


def _rename(stage: Stage) -> None:
    stage.prepare(*LOAD)
    stage.place.estate.rename_device(_switches(stage.place.estate)[0].mac, "renamed-once")


def _rename_again(stage: Stage) -> Mapping[str, Mapping[str, str]]:
    """In UniFi, before anybody starts the program again."""
    stage.place.estate.rename_device(_switches(stage.place.estate)[0].mac, "renamed-twice")
    return {}


FIRST = Story(name="first load")
RENAMED = Story(name="renamed again meanwhile", before=_rename, meanwhile=_rename_again)
NAMESAKES = Story(name="first load, among namesakes", meanwhile=_namesakes, same=False)
CHANGED = Story(name="later load", before=_change, variables=_AT_ONCE, whole=False)
QUEUED = Story(name="replay", before=_hold_back, command=_replay, again=_replay)
BASE_CLASS = Story(
    name="without the engine", before=close_engine, variables={"SNOWLOAD_SERVICENOW__QUARANTINE_SECONDS": "0.2"}
)
UNDONE = Story(name="load, undone", again=_rollback, quiet=_rollback, whole=False)
ROLLED_BACK = Story(
    name="rollback",
    before=_load_before,
    command=_required_rollback,
    again=_rollback,
    quiet=_rollback,
    whole=False,
)


def without_engine(story: Story) -> Story:
    """The same on the Table path, from the start."""
    variables = {**story.variables, **BASE_CLASS.variables}
    before = partial(_closed_before, story.before)
    return replace(story, name=f"{story.name}, without the engine", before=before, variables=variables)


def _closed_before(before: Callable[[Stage], None], stage: Stage) -> None:
    close_engine(stage)
    before(stage)


_BY_ENGINE = (FIRST, NAMESAKES, RENAMED, CHANGED, QUEUED, UNDONE, ROLLED_BACK)
_BY_TABLE = tuple(without_engine(story) for story in (CHANGED, RENAMED, UNDONE, ROLLED_BACK))
STORIES = {story.name: story for story in (*_BY_ENGINE, BASE_CLASS, *_BY_TABLE)}


def batched(story: Story, size: int) -> Story:
    """The same with small requests, so that there are several."""
    sizes = {"SNOWLOAD_SERVICENOW__BATCH_SIZE": str(size), "SNOWLOAD_SERVICENOW__BATCH_SIZE_MAX": str(size)}
    return replace(story, name=f"{story.name}, {size} to a request", variables={**story.variables, **sizes})
