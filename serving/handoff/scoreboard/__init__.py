"""What both sides agreed and what was achieved."""
