"""Ready deployments, and beside them the shipped campaigns."""
