"""Run a module as a program, and note what the whole process took: python -m benchmarks._process FILE MODULE ARGUMENT ...

The peak is read from within, because Linux counts the memory of the parent into what a parent is told about its child.
"""

import runpy
import sys
import time
from pathlib import Path

from benchmarks._measure import peak_memory
from workflow_lib.base.files import write_json


def main() -> None:
    """Run, note, and end with the module's own exit code."""
    report, module = Path(sys.argv[1]), sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    write_json(report, {"cpu": time.process_time(), "peak_mib": peak_memory()})
    sys.exit(code if isinstance(code, (int, str)) else 0)


if __name__ == "__main__":
    main()
