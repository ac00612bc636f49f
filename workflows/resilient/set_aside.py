"""Move the deliveries that are incomplete out of the way."""

import os
import sys

folder = sys.argv[1]
incoming = os.path.join(folder, "incoming")
for name in sorted(os.listdir(incoming)):
    path = os.path.join(incoming, name)
    with open(path, encoding="utf-8") as file:
        is_complete = file.read().endswith("end\n")
    if not is_complete:
        os.replace(path, os.path.join(folder, "late", name))
        print(f"{name} set aside")
