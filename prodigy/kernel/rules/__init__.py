"""The rules of the kernel, by what they are about. Each emits events and returns the moves that follow."""
