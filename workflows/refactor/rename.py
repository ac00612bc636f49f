"""Give the functions in renames.json their new names, everywhere in one folder of the code base.

Names that have been replaced are not found again, so it may be run twice.
"""

import json
import os
import re
import sys

codebase, folder = sys.argv[1:]
with open(os.path.join(codebase, "renames.json"), encoding="utf-8") as file:
    renames: dict[str, str] = json.load(file)
pattern = re.compile(r"\b(" + "|".join(map(re.escape, renames)) + r")\b")
changed = 0
for where, _, names in os.walk(os.path.join(codebase, folder)):
    for path in (os.path.join(where, name) for name in sorted(names) if name.endswith(".py")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text, count = pattern.subn(lambda match: renames[match.group()], text)
        changed += count
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
print(f"{folder}: {changed} names changed")
