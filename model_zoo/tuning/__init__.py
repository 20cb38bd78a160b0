"""Training encoders that are frozen otherwise: recipes that look at more than stored features."""
