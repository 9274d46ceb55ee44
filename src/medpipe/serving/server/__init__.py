"""HTTP on top of a served model: one process that talks, and worker processes that compute and can be stopped."""
