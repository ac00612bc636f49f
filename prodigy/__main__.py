"""The command `prodigy`, and `python -m prodigy`."""

import os
import sys

from prodigy import __version__


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if sys.argv[1:] == ["--version"]:  # asked often, by scripts: no import is worth it
        try:
            print(f"prodigy {__version__}", flush=True)
        except OSError:  # nobody reads it
            os._exit(0)
        return
    try:
        from prodigy.cli.app import run  # Ctrl-C while this is imported is answered too

        run()
    except KeyboardInterrupt:  # before there was anything to stop
        sys.exit(130)


if __name__ == "__main__":
    main()
