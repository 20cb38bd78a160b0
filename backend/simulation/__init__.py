"""A labelled set replayed: what a project with its labels would have learnt, and what that would have saved."""
