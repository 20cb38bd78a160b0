"""Classification of single regions of an image, by what a frozen network sees of each."""
