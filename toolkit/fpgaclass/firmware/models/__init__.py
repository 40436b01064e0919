"""What people hand over: models read, checked before work starts, and taken apart into steps."""
