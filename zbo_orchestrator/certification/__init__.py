"""What an executor was seen to do with faults injected, on a card.

Nothing is imported here: the process that is put to the test, and its guardian, stay small.
"""
