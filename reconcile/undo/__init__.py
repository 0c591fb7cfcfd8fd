"""Going back: the plan that takes a run back, and what another pair file would have planned."""
