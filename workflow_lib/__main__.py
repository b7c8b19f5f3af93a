"""`whichloss COMMAND`: everything that is started by hand, under one name."""

import importlib
import runpy
import sys

COMMANDS = ("preview", "trainings", "check-loss", "audit", "compare", "bundle", "crate", "pdf")


def main() -> None:
    """Start the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        sys.exit(f"usage: whichloss COMMAND ...; one of {', '.join(COMMANDS)}")
    module = f"workflow_lib.commands.{name.replace('-', '_')}"
    sys.argv = [f"whichloss {name}", *sys.argv[2:]]
    if hasattr(importlib.import_module(module), "__path__"):
        module += ".__main__"
    runpy.run_module(module, run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
