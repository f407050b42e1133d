"""What the program's own text must not hold: ways to make code from data, or to run what a text says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import beast_dream_snow_loader

PACKAGE = Path(beast_dream_snow_loader.__file__).parent
CALLS = frozenset({"eval", "exec", "compile", "__import__"})
MODULES = frozenset({"pickle", "marshal", "shelve", "yaml", "dill", "xml", "lxml", "jsonpickle"})


def dangers(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom):
            yield from (f"{file.name}:{node.lineno} {what}" for what in _of(node))


def _of(node: ast.Call | ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name) and called.id in CALLS:
            yield f"calls {called.id}"
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            whole = f"{called.value.id}.{called.attr}"
            yield from [f"calls {whole}"] if whole in ("os.system", "os.popen") else []
        yield from (f"asks for a {one.arg}" for one in node.keywords if one.arg == "shell")
        return
    names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    yield from (f"imports {name}" for name in names if name.partition(".")[0] in MODULES)


def test_no_code_is_made_from_data_and_no_shell_is_asked() -> None:
    assert [found for file in sorted(PACKAGE.rglob("*.py")) for found in dangers(file)] == []
