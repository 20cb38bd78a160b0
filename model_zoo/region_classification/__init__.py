"""Classification of single regions of an image, or spans of a text, by what a frozen network sees of each."""
