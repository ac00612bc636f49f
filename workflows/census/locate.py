"""Print the folder to count: the one given, else this Python's standard library."""

import os
import sys
import sysconfig

folder = os.path.realpath(sys.argv[1] or sysconfig.get_path("stdlib"))
if not os.path.isdir(folder):
    sys.exit(f"{folder} is not a folder")
print(folder)
