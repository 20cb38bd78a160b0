"""Pages for people. Their files are package data and load nothing from elsewhere."""
