"""``python -m tests.scenarios.metrics_share FILE``: one load in this process, then what its metrics add to it.

Prints seconds of processor time: of the load, and of reading the state for its file, making it and writing it, the
library that does it imported for the first time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path

from beast_dream_snow_loader.app.ground import ground
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.textfile import Exposure
from beast_dream_snow_loader.cli.main import run


def main(file: Path) -> None:
    sys.argv = ["snowload", "load", "--full", "--env", "testing", "--quiet"]
    with contextlib.suppress(SystemExit):
        run()
    load = time.process_time()
    place = Place(environment="testing", textfile=file)
    with ground(place) as here, opened(here) as store:
        last = store.memory.last_ended(here.target, "load")
        assert last is not None
        assert (last.exit_code, "prometheus_client" in sys.modules) == (0, False)
        exposure = Exposure(command="load", place=place)
        began = time.process_time()
        with exposure.at(here, store):
            pass
        exposure.told(Result(command="load", status="ok", body=last.report))
        metrics = time.process_time() - began
    sys.stdout.write(json.dumps({"load": load, "metrics": metrics, "operations": len(last.report["operations"])}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
