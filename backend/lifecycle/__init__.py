"""What people do with versions and data by hand: look, move, compare, export."""
