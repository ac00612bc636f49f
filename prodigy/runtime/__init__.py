"""Making it happen: the reactor, processes, signals, clocks."""
