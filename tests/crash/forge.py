"""Runs commands in forked children, each with the shim armed: the program imported once, started as often as wanted.

A process of its own, preloaded with the shim; orders come as JSON lines on stdin, one answer each on stdout.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import typer.main

from beast_dream_snow_loader.cli import main

COMMANDS = typer.main.get_command(main.app)
"""Built once: a third of what a small command costs."""


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(_warm_up(order) if order["here"] else _run(order)) + "\n")


def _warm_up(order: dict[str, Any]) -> dict[str, Any]:
    """A whole command in this process, so that no child has to import or compile anything any more."""
    before = dict(os.environ), sys.argv, os.dup(1), os.dup(2)
    _become(order)
    code = _code()
    sys.stdout.flush()
    os.environ.clear()
    os.environ.update(before[0])
    sys.argv = before[1]
    for number, kept in ((1, before[2]), (2, before[3])):
        os.dup2(kept, number)
    if (threads := threading.active_count()) != 1:
        raise RuntimeError(f"{threads} threads are left: none of them would be there in a child.")
    gc.collect()
    gc.freeze()  # a child looks at none of it, so that it shares the memory with its parent
    return {"code": code, "calls": 0}


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
    gc.disable()  # it lives for half a second
    _become(order)
    code = 1
    shim = _armed(order["arm"], order["told"])
    try:
        code = _code()
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()  # code 1 and a traceback, as the interpreter would have it
        sys.stdout.flush()
        calls = shim.shim_disarm() if shim else 0
        os.write(writing, str(calls).encode())
        os._exit(code)


def _become(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    Path(order["told"]).write_text("", encoding="utf-8")
    for number, name in ((1, order["out"]), (2, order["err"])):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["snowload", *order["arguments"]]


def _code() -> int:
    try:
        main.run(COMMANDS)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


def _armed(arm: dict[str, Any] | None, told: str) -> Any:
    if arm is None:
        return None
    shim = ctypes.CDLL(os.environ.get("LD_PRELOAD") or arm["library"])
    shim.shim_disarm.restype = ctypes.c_long
    shim.shim_arm(
        ctypes.c_long(arm["at"]),
        ctypes.c_int(arm["action"]),
        ctypes.c_int(arm["kinds"]),
        ctypes.c_int(arm["failing"]),
        ctypes.c_int(arm["number"]),
        arm["below"].encode(),
        arm["shadow"].encode(),
        ctypes.c_uint(arm["tear"]),
    )
    if arm["tell"]:
        shim.shim_tell(ctypes.c_int(os.open(told, os.O_WRONLY)))
    return shim


if __name__ == "__main__":
    serve()
