"""The command `prodigy`, and `python -m prodigy`."""

import sys

from prodigy import __version__


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if sys.argv[1:] == ["--version"]:  # asked often, by scripts: no import is worth it
        print(f"prodigy {__version__}")
        return
    try:
        from prodigy.cli.app import run

        run()
    except KeyboardInterrupt:  # before there was anything to stop
        sys.exit(130)


if __name__ == "__main__":
    main()
