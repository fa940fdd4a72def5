"""A real ophyd device, as a part of a campaign."""
