"""What answers a click or a box while a person waits: engines that work on pixels, and know no labelling tool."""
