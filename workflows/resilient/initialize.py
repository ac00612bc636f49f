"""Make a folder of deliveries, one number per line; a late one has no last line yet, which would say `end`."""

import os
import shutil
import sys

folder, deliveries, late = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for name in ("incoming", "late"):
    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    os.makedirs(os.path.join(folder, name))
with open(os.path.join(folder, ".gitignore"), "w", encoding="utf-8") as file:
    file.write("*\n")
for number in range(1, deliveries + 1):
    with open(os.path.join(folder, "incoming", f"{number:03}.txt"), "w", encoding="utf-8") as file:
        file.write(f"{number}\n{10 * number}\n")
        if number > late:
            file.write("end\n")
print(f"{deliveries} deliveries, {min(late, deliveries)} of them late")
