"""Background work: the policy, the queue, and the jobs themselves."""
