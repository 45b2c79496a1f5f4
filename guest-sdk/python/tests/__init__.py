"""Native tests of the SDK, its template and its examples: `python3 -m unittest`, in this folder's parent."""
