"""Closed-loop experiments on trajectories: plan, decode, execute, evaluate, record, repeat."""
