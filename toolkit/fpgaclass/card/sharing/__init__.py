"""Who has a card: one process at a time, the others in a queue."""
