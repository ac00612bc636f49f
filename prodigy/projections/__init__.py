"""What people want to see: folds of the events into documents and rows. Pure."""
