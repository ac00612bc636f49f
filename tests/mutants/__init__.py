"""Do the tests bite? One bug at a time is planted into the living code, and the nearest tests must notice."""
