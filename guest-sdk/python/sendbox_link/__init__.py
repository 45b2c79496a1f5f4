"""Makes a component of Python start faster: see `link`."""
