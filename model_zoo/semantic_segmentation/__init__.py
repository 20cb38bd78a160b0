"""Semantic segmentation: what each pixel of an image is, by U-Nets on encoders of the zoo."""
