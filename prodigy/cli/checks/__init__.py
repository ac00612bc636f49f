"""What `doctor` looks for: `table.py` lists every check, the other modules have them by what they look at."""
