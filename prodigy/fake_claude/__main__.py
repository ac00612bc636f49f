"""The command `prodigy-fake-claude`, and `python -m prodigy.fake_claude`."""

import os
import sys

from prodigy.fake_claude.options import Refused, read_options
from prodigy.fake_claude.play import Play
from prodigy.fake_claude.script import VERSION


def main() -> None:
    """Play Claude Code once and end the process with its exit code."""
    try:
        options = read_options(sys.argv[1:])
        if options.is_version:
            print(f"{VERSION} (prodigy-fake-claude)")
            return
        code = Play(options).run()
    except Refused as refused:
        print(refused, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    os._exit(code)  # threads that read or sleep hold nobody up


if __name__ == "__main__":
    main()
