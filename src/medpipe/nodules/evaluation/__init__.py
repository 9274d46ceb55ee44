"""How good findings are: FROC, CPM, matching, intervals."""
