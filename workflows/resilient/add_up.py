"""Add up the deliveries into total.txt; all of them must be complete."""

import os
import sys

folder = sys.argv[1]
incoming = os.path.join(folder, "incoming")
total = 0
for name in sorted(os.listdir(incoming)):
    with open(os.path.join(incoming, name), encoding="utf-8") as file:
        *numbers, last = file.read().split()
    if last != "end":
        sys.exit(f"{name} is still being written")
    total += sum(map(int, numbers))
path = os.path.join(folder, "total.txt")
with open(path + ".new", "w", encoding="utf-8") as file:
    file.write(f"{total}\n")
os.replace(path + ".new", path)
print(total)
