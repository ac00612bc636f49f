"""Orders carried out: who owns a run, and how each order begins."""
