"""Runs commands in forked children, each with the shim armed: the program imported once, started as often as wanted.

A process of its own, preloaded with the shim; orders come as JSON lines on stdin, one answer each on stdout.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

from beast_dream_snow_loader.app import drain, sync
from beast_dream_snow_loader.cli import main
from beast_dream_snow_loader.cli.commands import load, replay
from beast_dream_snow_loader.servicenow import client
from beast_dream_snow_loader.state import store
from beast_dream_snow_loader.unifi import source

IMPORTED = (drain, sync, load, replay, client, store, source)
"""What a command would import when it is called."""


def serve() -> None:
    _warm_up()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        answers.write(json.dumps(_run(json.loads(line))) + "\n")


def _warm_up() -> None:
    """A command that ends at once has imported most of what a load needs."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(order, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        calls = told.read()
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "calls": int(calls or 0)}


def _child(order: dict[str, Any], writing: int) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    for number, name in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = ["snowload", *order["arguments"]]
    code = 0
    shim = _armed(order.get("arm"))
    try:
        main.run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        calls = shim.shim_disarm() if shim else 0
        os.write(writing, str(calls).encode())
        os._exit(code)


def _armed(arm: dict[str, Any] | None) -> Any:
    if arm is None:
        return None
    shim = ctypes.CDLL(os.environ.get("LD_PRELOAD") or arm["library"])
    shim.shim_disarm.restype = ctypes.c_long
    shim.shim_arm(
        ctypes.c_long(arm["at"]),
        ctypes.c_int(arm["action"]),
        ctypes.c_int(arm["kinds"]),
        ctypes.c_int(arm["number"]),
        arm["below"].encode(),
        arm["shadow"].encode(),
        ctypes.c_uint(arm["tear"]),
    )
    return shim


if __name__ == "__main__":
    serve()
