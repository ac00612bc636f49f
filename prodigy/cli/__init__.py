"""The commands, one file per group."""

import gc

# Imports, plans and folds make many objects and hardly any cycles. Python looks for garbage among them after every 700;
# that took a twelfth of a short command's time, and a third of the time to open a long log.
OBJECTS_UNTIL_COLLECTED = 100_000

gc.set_threshold(OBJECTS_UNTIL_COLLECTED)  # here, because the imports of the commands come next
