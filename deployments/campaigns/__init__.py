"""Ready campaigns, shipped with the package."""
