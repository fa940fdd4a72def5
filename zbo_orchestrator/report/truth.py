"""What stands beside a history: its scan, and its decoder built again."""
