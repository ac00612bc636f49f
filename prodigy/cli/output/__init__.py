"""What people and programs read: tables, documents, times, counts, and the terminal they appear on."""
