"""A scanning probe microscope that measures hysteresis loops, as a part of a campaign."""
