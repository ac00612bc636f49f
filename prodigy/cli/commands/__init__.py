"""The commands, a file for each or for those that belong together; a file is imported when its command is called."""
