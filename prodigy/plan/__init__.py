"""What should happen: the workflow document, compiled into a frozen plan. Pure."""
