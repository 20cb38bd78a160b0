"""Networks as programs: a forward pass from arrays to arrays that runs in PyTorch or in a compiled form."""
