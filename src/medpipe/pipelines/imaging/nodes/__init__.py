"""The nodes of ``imaging``: each calls the library."""
