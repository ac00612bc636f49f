"""What happens next: events, state, and the functions over them. Pure."""
