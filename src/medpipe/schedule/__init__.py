"""Scheduled retraining: when a job is due, and what became of it."""
