"""What an executor was seen to do with faults injected, on a card."""
